//! Runs the conversations of the rows.

use crate::expect::{check, dated};
use crate::origin::{Answer, Play};
use crate::script::{Expect, Origin, Step};
use crate::stage::Stage;

pub(crate) fn run(stage: &Stage, steps: &[Step]) {
    stage.empty();
    let begun = stage.clock.now();
    let said =
        |status: u16, fields: &str, body: &str| Answer::new(status, dated(fields, begun), body);
    for (index, step) in steps.iter().enumerate() {
        stage.clock.advance(step.wait);
        let play = match step.origin {
            Origin::Silent => Play::Silent,
            Origin::Down => Play::Down,
            Origin::Answers(status, fields, body) => Play::Says(said(status, fields, body)),
            Origin::BreaksOff(status, fields, body) => {
                Play::Says(Answer { is_cut: true, ..said(status, fields, body) })
            }
            Origin::Slow(delay, status, fields, body) => {
                Play::Says(Answer { delay, ..said(status, fields, body) })
            }
        };
        let is_silent = matches!(play, Play::Silent);
        let outcome = stage.say(step.request, &dated(step.fields, begun), play);
        let asked = outcome.asked.len();
        assert_eq!(asked == 0, is_silent, "step {index}: the origin was asked {asked} times");
        for expect in step.expect {
            // What is an error to a service is one of these to a client.
            let fails = matches!(expect, Expect::Fails)
                && matches!(outcome.reply.status, 502..=504)
                && !outcome.reply.is_hit();
            let seen = (!fails).then(|| outcome.reply.seen());
            check((index, begun), *expect, seen, outcome.asked.last());
        }
    }
}
