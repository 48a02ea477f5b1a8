//! Contenders take turns, so that whatever disturbs the machine disturbs all of them.

use std::time::Duration;

use tokio::time::Instant;

/// Rounds that are run however long they take.
const ENOUGH: usize = 3;

/// How many rounds, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// Most rounds.
    pub most: usize,
    /// No round after the third begins later than this.
    pub within: Duration,
}

impl Rounds {
    /// Runs every contender once a round, each round beginning with another one; the figures of
    /// each, in the order of the contenders.
    pub fn alternate<C>(self, contenders: &[C], mut run: impl FnMut(&C) -> f64) -> Vec<Vec<f64>> {
        let mut figures = vec![Vec::with_capacity(self.most); contenders.len()];
        let began = Instant::now();
        for round in 0..self.most {
            if round >= ENOUGH && began.elapsed() > self.within {
                break;
            }
            let mut order: Vec<_> = contenders.iter().zip(&mut figures).collect();
            order.rotate_left(round % contenders.len().max(1));
            for (contender, figures) in order {
                figures.push(run(contender));
            }
        }
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_begins_with_another() {
        let mut order = Vec::new();
        let rounds = Rounds { most: 3, within: Duration::ZERO };
        let figures = rounds.alternate(&[1.0, 2.0], |contender| {
            order.push(*contender);
            *contender
        });
        assert_eq!(order, [1.0, 2.0, 2.0, 1.0, 1.0, 2.0]);
        assert_eq!(figures, [vec![1.0; 3], vec![2.0; 3]]);
    }

    #[test]
    fn time_ends_the_rounds() {
        let rounds = Rounds { most: 9, within: Duration::ZERO };
        assert_eq!(rounds.alternate(&[0.0], |figure| *figure), [vec![0.0; ENOUGH]]);
    }
}
