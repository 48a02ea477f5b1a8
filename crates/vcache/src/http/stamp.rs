//! The two fields that change from hit to hit, made once a second and shared by the hits in it.

use std::sync::Mutex;

use http::HeaderValue;

/// `Age` and `Cache-Status` of the last hit.
#[derive(Debug, Default)]
pub(crate) struct Stamp(Mutex<Made>);

#[derive(Debug, Default)]
struct Made {
    age: Option<(u64, HeaderValue)>,
    hit: Option<(i64, HeaderValue)>,
}

impl Stamp {
    /// `Age`, in seconds (RFC 9111 §5.1).
    pub(crate) fn age(&self, seconds: u64) -> HeaderValue {
        // Who finds the lock taken makes one of its own: nobody waits on the way of a hit.
        let Ok(mut made) = self.0.try_lock() else {
            return HeaderValue::from(seconds);
        };
        match &made.age {
            Some((age, value)) if *age == seconds => value.clone(),
            _ => made.age.insert((seconds, HeaderValue::from(seconds))).1.clone(),
        }
    }

    /// `Cache-Status` of a hit with `ttl` seconds left, made by `make` if it was not.
    pub(crate) fn hit(
        &self,
        ttl: i64,
        make: impl FnOnce() -> Option<HeaderValue>,
    ) -> Option<HeaderValue> {
        let Ok(mut made) = self.0.try_lock() else {
            return make();
        };
        match &made.hit {
            Some((seconds, value)) if *seconds == ttl => Some(value.clone()),
            _ => Some(made.hit.insert((ttl, make()?)).1.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_of_its_second_and_never_of_another() {
        let stamp = Stamp::default();
        let value = |ttl: i64| HeaderValue::try_from(format!("ttl={ttl}")).ok();
        for second in [0, 0, 1, 5, 1] {
            assert_eq!(stamp.age(second), second.to_string());
            let ttl = 10 - i64::try_from(second).unwrap();
            assert_eq!(stamp.hit(ttl, || value(ttl)), value(ttl));
        }
        assert_eq!(stamp.hit(9, || unreachable!("it was made last")), value(9));
        let _taken = stamp.0.lock().unwrap();
        assert_eq!((stamp.age(7), stamp.hit(3, || value(3))), (7.into(), value(3)));
    }
}
