//! National ids with their check digits. A number that passes is well-formed; whether it was ever
//! given to somebody only the provider knows.

use core::fmt;

use crate::{person::is_date, secret::ExpectedText};

/// Why a national id is not taken. It does not repeat the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NationalIdError {
    /// Too few or too many characters.
    Length {
        /// How many there have to be.
        expected: usize,
    },
    /// Something else than a digit. Separators are not taken: write the digits only.
    NotDigits,
    /// No such date of birth.
    Date,
    /// A check digit is wrong: probably a typing mistake.
    CheckDigit,
}

impl fmt::Display for NationalIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected } => write!(f, "a national id of {expected} digits is needed"),
            Self::NotDigits => f.write_str("the national id has something else than digits in it"),
            Self::Date => f.write_str("the national id has no possible date of birth"),
            Self::CheckDigit => f.write_str("a check digit of the national id is wrong"),
        }
    }
}

impl core::error::Error for NationalIdError {}

/// A Swedish personal number of 12 digits, `YYYYMMDDNNNN`. Coordination numbers (day plus 60) are
/// taken too.
///
/// `Debug` prints the type's name only, and the memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct SwedishPersonalNumber(ExpectedText);

impl SwedishPersonalNumber {
    /// Reads the number; the last ten digits have to pass the Luhn check.
    ///
    /// # Errors
    ///
    /// [`NationalIdError`].
    pub fn parse(text: &str) -> Result<Self, NationalIdError> {
        let digits: [u32; 12] = digits(text)?;
        let [y1, y2, y3, y4, m1, m2, d1, d2, ..] = digits;
        let year = y1 * 1000 + y2 * 100 + y3 * 10 + y4;
        let day = d1 * 10 + d2;
        let day = if day > 60 { day - 60 } else { day };
        if !(1800..2200).contains(&year) || !is_date(year, m1 * 10 + m2, day) {
            return Err(NationalIdError::Date);
        }
        // Luhn: every second digit counts double, and a product of two digits as their sum.
        let sum: u32 = digits
            .iter()
            .skip(2)
            .enumerate()
            .map(|(at, digit)| if at % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { *digit })
            .sum();
        match sum % 10 {
            0 => Ok(Self(text.into())),
            _ => Err(NationalIdError::CheckDigit),
        }
    }

    /// The digits. Keep them out of logs.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// A Norwegian national id of 11 digits, `DDMMYYNNNNN`: fødselsnummer or D-number (day plus 40).
///
/// Synthetic numbers are taken as well, because tests need them and no person can have one: the
/// month is raised by 40 or by 80. [`Self::is_synthetic`] tells them apart. `Debug` prints the
/// type's name only, and the memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct NorwegianNationalId {
    text: ExpectedText,
    synthetic: bool,
}

impl NorwegianNationalId {
    /// Reads the number; both check digits (modulo 11) have to be right.
    ///
    /// # Errors
    ///
    /// [`NationalIdError`].
    pub fn parse(text: &str) -> Result<Self, NationalIdError> {
        let digits: [u32; 11] = digits(text)?;
        let [d1, d2, m1, m2, y1, y2, ..] = digits;
        let day = d1 * 10 + d2;
        let day = if day > 40 { day - 40 } else { day };
        let raised = m1 * 10 + m2;
        let month = match raised {
            41..=52 => raised - 40,
            81..=92 => raised - 80,
            other => other,
        };
        // The century hides in the individual number by rules with exceptions. It only matters for
        // 29 February, where every year that can be divided by four is taken for a leap year.
        if !is_date(2000 + y1 * 10 + y2, month, day) {
            return Err(NationalIdError::Date);
        }
        let sums_to_zero = |weights: &[u32]| {
            digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum::<u32>() % 11 == 0
        };
        // The last weight belongs to the check digit itself.
        if !sums_to_zero(&[3, 7, 6, 1, 8, 9, 4, 5, 2, 1])
            || !sums_to_zero(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1])
        {
            return Err(NationalIdError::CheckDigit);
        }
        Ok(Self { text: text.into(), synthetic: month != raised })
    }

    /// The digits. Keep them out of logs.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// Whether the number is one for tests, which no person has.
    #[must_use]
    pub const fn is_synthetic(&self) -> bool {
        self.synthetic
    }
}

fn digits<const N: usize>(text: &str) -> Result<[u32; N], NationalIdError> {
    let mut digits = [0; N];
    let mut characters = text.chars();
    for slot in &mut digits {
        let character = characters.next().ok_or(NationalIdError::Length { expected: N })?;
        *slot = character.to_digit(10).ok_or(NationalIdError::NotDigits)?;
    }
    match characters.next() {
        None => Ok(digits),
        Some(_) => Err(NationalIdError::Length { expected: N }),
    }
}

impl fmt::Debug for SwedishPersonalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SwedishPersonalNumber(..)")
    }
}

impl fmt::Debug for NorwegianNationalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NorwegianNationalId(..)")
    }
}
