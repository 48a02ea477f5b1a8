//! Metrics of the layer: names, descriptions and handles.

#[cfg(not(feature = "metrics"))]
pub(crate) use off::Meters;
#[cfg(feature = "metrics")]
pub(crate) use on::Meters;

#[cfg(feature = "metrics")]
mod on {
    use metrics::{Counter, Unit, counter, describe_counter};

    use crate::coding::Coding;
    use crate::eligible::Skip;

    const RESPONSES: &str = "vcompress_responses_total";
    const SKIPPED: &str = "vcompress_skipped_total";
    const INPUT: &str = "vcompress_input_bytes_total";
    const OUTPUT: &str = "vcompress_output_bytes_total";

    /// The handles, taken once when the layer is built.
    pub(crate) struct Meters {
        codings: [Coded; Coding::ALL.len()],
        identity: Counter,
        skipped: [(Skip, Counter); REASONS.len()],
    }

    const REASONS: [(Skip, &str); 5] = [
        (Skip::Status, "status"),
        (Skip::Coded, "coded"),
        (Skip::NoTransform, "no-transform"),
        (Skip::Type, "type"),
        (Skip::Small, "small"),
    ];

    struct Coded {
        responses: Counter,
        input: Counter,
        output: Counter,
    }

    impl Meters {
        pub(crate) fn new() -> Self {
            describe_counter!(RESPONSES, Unit::Count, "Eligible responses, by coding sent.");
            describe_counter!(SKIPPED, Unit::Count, "Responses never coded, by reason.");
            describe_counter!(INPUT, Unit::Bytes, "Bytes before coding, by coding.");
            describe_counter!(OUTPUT, Unit::Bytes, "Bytes after coding, by coding.");
            Self {
                codings: Coding::ALL.map(|coding| Coded {
                    responses: counter!(RESPONSES, "coding" => coding.as_str()),
                    input: counter!(INPUT, "coding" => coding.as_str()),
                    output: counter!(OUTPUT, "coding" => coding.as_str()),
                }),
                identity: counter!(RESPONSES, "coding" => "identity"),
                skipped: REASONS.map(|(skip, name)| (skip, counter!(SKIPPED, "reason" => name))),
            }
        }

        pub(crate) fn coded(&self, coding: Coding, bytes_in: u64, bytes_out: u64) {
            if let Some(meters) = self.codings.get(coding.index()) {
                meters.responses.increment(1);
                meters.input.increment(bytes_in);
                meters.output.increment(bytes_out);
            }
        }

        pub(crate) fn plain(&self) {
            self.identity.increment(1);
        }

        pub(crate) fn skipped(&self, skip: Skip) {
            if let Some((_, counter)) = self.skipped.iter().find(|(of, _)| *of == skip) {
                counter.increment(1);
            }
        }
    }
}

#[cfg(not(feature = "metrics"))]
mod off {
    use crate::coding::Coding;
    use crate::eligible::Skip;

    /// Silent.
    pub(crate) struct Meters;

    #[expect(clippy::unused_self, reason = "the same methods as its twin")]
    impl Meters {
        pub(crate) const fn new() -> Self {
            Self
        }

        pub(crate) const fn coded(&self, _: Coding, _: u64, _: u64) {}

        pub(crate) const fn plain(&self) {}

        pub(crate) const fn skipped(&self, _: Skip) {}
    }
}
