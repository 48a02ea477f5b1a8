//! A decimal number before its unit, without floating point.

use crate::error::Problem;

/// Splits `12.5ms` into the number, as digits and how many of them are decimals, and the unit.
pub(crate) fn split(text: &str) -> Result<(Number, &str), Problem> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    Ok((Number::parse(digits)?, unit.trim_start()))
}

/// A decimal number, exact.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number {
    digits: u128,
    scale: u128,
}

impl Number {
    fn parse(text: &str) -> Result<Self, Problem> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        if !whole.starts_with(|c: char| c.is_ascii_digit()) || decimals.contains('.') {
            return Err(Problem::NoNumber);
        }
        let mut number = Self { digits: 0, scale: 1 };
        for c in whole.chars().filter(|c| *c != '_') {
            number.push(c)?;
        }
        for c in decimals.chars().filter(|c| *c != '_') {
            number.push(c)?;
            number.scale = number.scale.checked_mul(10).ok_or(Problem::TooLarge)?;
        }
        Ok(number)
    }

    fn push(&mut self, c: char) -> Result<(), Problem> {
        let digit = c.to_digit(10).ok_or(Problem::NoNumber)?;
        self.digits = self
            .digits
            .checked_mul(10)
            .and_then(|d| d.checked_add(u128::from(digit)))
            .ok_or(Problem::TooLarge)?;
        Ok(())
    }

    /// The number times `unit`, cut off to a whole.
    pub(crate) fn times(self, unit: u64) -> Result<u64, Problem> {
        let product = self.digits.checked_mul(u128::from(unit)).ok_or(Problem::TooLarge)?;
        u64::try_from(product / self.scale).map_err(|_| Problem::TooLarge)
    }
}
