//! The rows, by what they are about.

mod freshness;
mod gateway;
mod invalidating;
mod parsing;
mod ranges;
mod selecting;
mod serving;
mod stale;
mod status;
mod storing;
mod validating;

use crate::row::Row;

/// All rows, in the order of the table.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    let all: [&'static [Row]; 11] = [
        storing::ROWS,
        selecting::ROWS,
        freshness::ROWS,
        stale::ROWS,
        validating::ROWS,
        invalidating::ROWS,
        ranges::ROWS,
        serving::ROWS,
        parsing::ROWS,
        status::ROWS,
        gateway::ROWS,
    ];
    all.into_iter().flatten()
}
