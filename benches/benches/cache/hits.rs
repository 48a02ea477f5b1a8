//! Hit ratios: recorded traces and synthetic ones, the same keys for everyone.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use benches::asked::Asked;
use benches::caches::{contender, hit_ratio};
use benches::chart::{Chart, Columns};
use benches::report::Report;
use benches::table::{Cell, Table, figure, text};
use benches::trace;
use benches::zipf::synthetic;

const NAMES: [&str; 5] = ["verve", "quick_cache", "moka", "foyer S3-FIFO", "foyer LFU"];

/// One row of a table.
struct Line {
    name: &'static str,
    room: usize,
    keys: Arc<[u32]>,
    caffeine: f64,
}

pub(crate) fn run(asked: &Asked, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let mut lines = Vec::new();
    let mut last: Option<(&str, Arc<[u32]>)> = None;
    for (name, room, caffeine) in trace::CASES {
        let keys = match last.take() {
            Some((known, keys)) if known == name => keys,
            _ => trace::load(name)?.into(),
        };
        last = Some((name, Arc::clone(&keys)));
        lines.push(Line { name, room, keys, caffeine });
    }
    let names: Vec<_> = NAMES.into_iter().filter(|name| asked.contender(name)).collect();
    let ratios = measure(&names, &lines, asked.rounds(3).min(10));
    recorded(report, &names, &lines, &ratios);
    let made = synthetic().into_iter().flat_map(|(name, keys)| {
        let keys: Arc<[u32]> = keys.into();
        // 1, 5 and 20 % of the keys, as with the recorded ones.
        let mut distinct = keys.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let rooms = [1, 5, 20].map(|percent| (distinct.len() * percent / 100).max(64));
        rooms.map(|room| Line { name, room, keys: Arc::clone(&keys), caffeine: f64::NAN })
    });
    let lines: Vec<Line> = made.collect();
    let ratios = measure(&names, &lines, 1);
    let mut table = Table::new(
        "Hit ratio, synthetic",
        "In percent, one run, fixed keys: popularity that stays, moves, jumps and is disturbed, \
         and no popularity at all. Room for 1, 5 and 20 % of the distinct keys.",
        &columns(&names, &["best peer"]),
    );
    add(&mut table, &lines, &ratios, |_, best| vec![figure(best, 2)]);
    report.add(table);
    Ok(())
}

fn recorded(report: &mut Report, names: &[&str], lines: &[Line], ratios: &[Vec<f64>]) {
    let mut table = Table::new(
        "Hit ratio, recorded traces",
        "In percent, mean of several runs, as hashers are seeded at random; what is missing is \
         stored. Room for 1, 5 and 20 % of the distinct keys, at least 64. Caffeine runs on Java and \
         was measured before, with the same keys and room. `best peer` is the best of all peers in \
         the row, `against it` is verve's distance.",
        &columns(names, &["Caffeine, recorded", "best peer", "against it"]),
    );
    let mut sums = vec![0.0; names.len() + 2];
    add(&mut table, lines, ratios, |at, best| {
        let best = best.max(lines[at].caffeine);
        for (sum, ratio) in
            sums.iter_mut().zip(ratios[at].iter().chain([&lines[at].caffeine, &best]))
        {
            *sum += ratio / lines.len() as f64;
        }
        vec![figure(lines[at].caffeine, 2), figure(best, 2), figure(ratios[at][0] - best, 2)]
    });
    let means = sums.iter().map(|mean| figure(*mean, 2));
    let against = figure(sums[0] - sums[names.len() + 1], 2);
    table.row([text("mean"), text("")].into_iter().chain(means).chain([against]));
    let mut bars = Table::new("", "", &["trace", "contender", "hit ratio"]);
    let all = names.iter().copied().chain(["Caffeine, recorded"]);
    for (name, mean) in all.zip(&sums) {
        bars.row([text("mean of all rows"), text(name), figure(*mean, 2)]);
    }
    report.add(table);
    let columns = Columns { groups: &[0], name: 1, value: 2 };
    report.chart(Chart::of("Mean hit ratio, percent", &bars, columns, |_| true));
}

fn columns<'a>(names: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    ["trace", "room"].iter().chain(names).chain(more).copied().collect()
}

/// Rows with every contender's ratio, and what `more` makes of a row and the best peer in it.
fn add(
    table: &mut Table,
    lines: &[Line],
    ratios: &[Vec<f64>],
    mut more: impl FnMut(usize, f64) -> Vec<Cell>,
) {
    for (at, (line, ratios)) in lines.iter().zip(ratios).enumerate() {
        let best = ratios.iter().skip(1).copied().fold(f64::NAN, f64::max);
        let cells = [text(line.name), text(line.room.to_string())].into_iter();
        let figures = ratios.iter().map(|ratio| figure(*ratio, 2));
        table.row(cells.chain(figures).chain(more(at, best)));
    }
}

/// The mean ratio of every contender in every line. Nothing is timed, so all processors help.
fn measure(names: &[&str], lines: &[Line], runs: usize) -> Vec<Vec<f64>> {
    let ratios = Mutex::new(vec![vec![0.0; names.len()]; lines.len()]);
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let (at, of) = (job / names.len(), job % names.len());
            let Some(line) = lines.get(at) else { break };
            let run =
                |_| hit_ratio(&*contender(names[of], line.room).expect("a known name"), &line.keys);
            let mean = (0..runs).map(run).sum::<f64>() / runs as f64;
            ratios.lock().expect("no thread panics")[at][of] = mean;
            eprintln!("hits: {} of {}", job + 1, lines.len() * names.len());
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    ratios.into_inner().expect("no thread panics")
}
