//! Buckets for numbers of any size: exact up to 31, then sixteen for each doubling.

/// How many there are.
pub(super) const BUCKETS: usize = 976;

/// The bucket of a number.
#[inline]
pub(super) fn bucket(number: u64) -> usize {
    let exponent = number.checked_ilog2().unwrap_or(0);
    if exponent < 4 {
        return usize::try_from(number).unwrap_or(0);
    }
    let upper = usize::try_from(number >> (exponent - 4)).unwrap_or(0);
    (exponent as usize - 4) * 16 + upper
}

/// The first and the last number of a bucket.
pub(super) fn bounds(bucket: usize) -> (u64, u64) {
    let number = |at: usize| u64::try_from(at).unwrap_or(u64::MAX);
    if bucket < 16 {
        return (number(bucket), number(bucket));
    }
    let shift = bucket / 16 - 1;
    let first = number(bucket % 16 + 16) << shift;
    (first, first + ((1 << shift) - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut next = 0;
        for at in 0..BUCKETS {
            let (first, last) = bounds(at);
            assert_eq!((first, bucket(first), bucket(last)), (next, at, at));
            next = last.wrapping_add(1);
        }
        // The last one ends at the largest number.
        assert_eq!(next, 0);
    }

    proptest! {
        #[test]
        fn a_number_is_in_its_bucket(number in any::<u64>(), shift in 0_u32..64) {
            let number = number >> shift;
            let (first, last) = bounds(bucket(number));
            prop_assert!(first <= number && number <= last);
            prop_assert!(last - first <= number / 16);
        }
    }
}
