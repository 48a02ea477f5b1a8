//! The progress of the first round: a bar on a terminal, now and then a log line elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use verve::cache::warm::{Progress, Watch};

/// Cells of the bar.
const CELLS: u64 = 24;

/// How often the bar is drawn, and how often a line is logged where there is none.
const FRAME: Duration = Duration::from_millis(100);
const LINE: Duration = Duration::from_secs(10);

/// Shows the progress until the first round is over.
pub(super) async fn show(mut watch: Watch) {
    let terminal = io::stderr().is_terminal();
    let pause = if terminal { FRAME } else { LINE };
    while let Some(progress) = watch.next().await.filter(|progress| progress.rounds == 0) {
        if terminal {
            // Whoever logs a line clears this one first; it comes again below.
            draw(&format!("\r\x1b[2K{}", bar(progress)));
        } else if progress.done() > 0 {
            let (done, keys, failed) = (progress.done(), progress.keys, progress.failed);
            tracing::info!(done, keys, failed, "warming");
        }
        tokio::time::sleep(pause).await;
    }
    if terminal {
        draw("\r\x1b[2K");
    }
}

fn draw(text: &str) {
    let mut stderr = io::stderr().lock();
    // Nobody reads any longer, and nothing depends on it.
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

fn bar(progress: Progress) -> String {
    let (done, keys) = (progress.done(), progress.keys);
    let full = done.saturating_mul(CELLS).checked_div(keys).unwrap_or(0).min(CELLS);
    let cells: String = (0..CELLS).map(|cell| if cell < full { '#' } else { '.' }).collect();
    let failed = match progress.failed + progress.failed_patterns {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    format!("warming [{cells}] {done} of {keys}{failed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_as_keys_are_done() {
        let mut progress = Progress::default();
        assert_eq!(bar(progress), format!("warming [{}] 0 of 0", ".".repeat(24)));
        (progress.keys, progress.loaded, progress.failed) = (4, 1, 1);
        let half = [".", "#"].map(|cell| cell.repeat(12));
        assert_eq!(bar(progress), format!("warming [{}{}] 2 of 4, 1 failed", half[1], half[0]));
    }
}
