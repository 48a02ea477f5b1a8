//! Whatever happens to a flow, its readers get the body or are told that they do not.

use std::task::Waker;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::http::audience::Audience;

fn reader(flow: &Arc<Flow>) -> Option<Reader> {
    flow.read(None, Ties::new(Audience::new().seat(), None))
}

fn poll(reader: &mut Reader) -> Polled {
    Pin::new(reader).poll_frame(&mut Context::from_waker(Waker::noop()))
}

/// What happens to a flow, one after the other.
#[derive(Debug, Clone)]
enum Step {
    Push(u8),
    Open,
    Read(usize),
    Leave(usize),
    Narrow,
    Cut,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..5).prop_map(Step::Push),
        2 => Just(Step::Open),
        6 => any::<usize>().prop_map(Step::Read),
        1 => any::<usize>().prop_map(Step::Leave),
        1 => Just(Step::Narrow),
        1 => Just(Step::Cut),
    ]
}

/// A reader, and how much of the body it has.
type Open = (Reader, usize);

/// Reads once; whether the reader goes on.
fn read_on((reader, taken): &mut Open, body: &[u8]) -> Result<bool, TestCaseError> {
    Ok(match poll(reader) {
        Poll::Ready(Some(Ok(frame))) => {
            let data = frame.into_data().unwrap();
            prop_assert_eq!(&body[*taken..*taken + data.len()], &data[..]);
            *taken += data.len();
            true
        }
        Poll::Ready(Some(Err(error))) => {
            let cause = std::error::Error::source(&error).unwrap().to_string();
            prop_assert!(cause.contains("too slowly"), "{}", cause);
            false
        }
        Poll::Ready(None) => {
            prop_assert_eq!(*taken, body.len());
            false
        }
        Poll::Pending => true,
    })
}

proptest! {
    /// Whoever reads gets every byte once and in order, or is told that it does not.
    #[test]
    fn every_reader_gets_the_body_or_an_error(steps in vec(step(), 1..80), has_whole: bool) {
        let flow = Arc::new(Flow::default());
        let (mut body, mut open, mut narrow) = (Vec::new(), Vec::<Open>::new(), false);
        for step in steps {
            match step {
                Step::Push(size) => {
                    let start = body.len();
                    let first = u8::try_from(start % 251).unwrap();
                    body.extend((0..size).map(|n| n.wrapping_add(first)));
                    flow.push(Bytes::copy_from_slice(&body[start..]));
                }
                Step::Open => match reader(&flow) {
                    Some(reader) => {
                        prop_assert!(!narrow);
                        open.push((reader, 0));
                    }
                    None => prop_assert!(narrow),
                },
                Step::Read(which) if !open.is_empty() => {
                    let which = which % open.len();
                    if !read_on(&mut open[which], &body)? {
                        open.remove(which);
                    }
                }
                Step::Leave(which) if !open.is_empty() => drop(open.remove(which % open.len())),
                Step::Narrow => {
                    narrow = true;
                    flow.narrow(4);
                }
                Step::Cut if narrow => flow.change(State::cut_slowest),
                Step::Read(_) | Step::Leave(_) | Step::Cut => {}
            }
            if narrow {
                // No more is kept than what a reader lacks.
                let state = flow.lock();
                let kept: usize = state.chunks.iter().map(|chunk| chunk.data.len()).sum();
                let least = state.places.iter().flatten().filter(|p| !p.is_cut).map(|p| p.at).min();
                let lacking = least.map_or(0, |least| body.len() - usize::try_from(least).unwrap());
                prop_assert!(kept < lacking + 5, "{} kept, {} lacking", kept, lacking);
            }
        }
        let whole = has_whole.then(|| Bytes::from(body.clone())).filter(|_| !narrow);
        flow.end(whole, None);
        for mut reader in open {
            while read_on(&mut reader, &body)? {}
        }
    }
}

#[test]
fn a_flow_that_is_abandoned_breaks_off_and_one_that_has_ended_does_not() {
    let flow = Arc::new(Flow::default());
    let mut one = reader(&flow).unwrap();
    assert!(poll(&mut one).is_pending());
    flow.abandon();
    assert!(matches!(poll(&mut one), Poll::Ready(Some(Err(_)))));
    let flow = Arc::new(Flow::default());
    let mut one = reader(&flow).unwrap();
    flow.end(None, None);
    flow.abandon();
    assert!(one.is_end_stream());
    assert!(matches!(poll(&mut one), Poll::Ready(None)));
}
