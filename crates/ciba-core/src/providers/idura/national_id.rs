//! National ids with their check digits. A number that passes is well-formed; only the provider
//! knows whether it was ever issued.

use core::{fmt, str::FromStr};

use crate::{person::is_date, secret::ExpectedText};

/// The error of a string that is not a national id. It does not contain the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NationalIdError {
    /// The number of characters is wrong.
    Length {
        /// The required number of digits.
        expected: usize,
    },
    /// A character is not a digit. Separators are not accepted.
    NotDigits,
    /// The date of birth does not exist.
    Date,
    /// A check digit is wrong, probably because of a typing mistake.
    CheckDigit,
}

impl fmt::Display for NationalIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected } => write!(f, "the national id must have {expected} digits"),
            Self::NotDigits => {
                f.write_str("the national id contains a character that is not a digit")
            }
            Self::Date => f.write_str("the date of birth in the national id does not exist"),
            Self::CheckDigit => f.write_str("a check digit of the national id is wrong"),
        }
    }
}

impl core::error::Error for NationalIdError {}

/// A Swedish personal number of 12 digits, `YYYYMMDDNNNN`, or a coordination number, in which 60 is
/// added to the day.
///
/// `Debug` prints only the name of the type, and the memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct SwedishPersonalNumber(ExpectedText);

impl SwedishPersonalNumber {
    /// Parses the number. The last ten digits must pass the Luhn check.
    ///
    /// # Errors
    ///
    /// Returns [`NationalIdError`] if it is not a well-formed number.
    pub fn parse(text: &str) -> Result<Self, NationalIdError> {
        let digits: [u32; 12] = digits(text)?;
        let [y1, y2, y3, y4, m1, m2, d1, d2, ..] = digits;
        let year = y1 * 1000 + y2 * 100 + y3 * 10 + y4;
        let day = d1 * 10 + d2;
        let day = if day > 60 { day - 60 } else { day };
        // No person was born in another year, so the digits are probably shifted.
        if !(1800..2200).contains(&year) || !is_date(year, m1 * 10 + m2, day) {
            return Err(NationalIdError::Date);
        }
        // Luhn: every second digit is doubled, and a product of two digits counts as their sum.
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

    /// Returns the digits. They must not be logged.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl FromStr for SwedishPersonalNumber {
    type Err = NationalIdError;

    fn from_str(text: &str) -> Result<Self, NationalIdError> {
        Self::parse(text)
    }
}

/// A Norwegian national id of 11 digits, `DDMMYYNNNNN`: a fødselsnummer or a D-number, in which 40 is
/// added to the day.
///
/// Synthetic numbers, in which 40 or 80 is added to the month, are accepted as well, because tests
/// need them and no person can have one. [`Self::is_synthetic`] tells them apart. `Debug` prints only
/// the name of the type, and the memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct NorwegianNationalId {
    text: ExpectedText,
    synthetic: bool,
}

impl NorwegianNationalId {
    /// Parses the number. Both check digits (modulo 11) must be right.
    ///
    /// # Errors
    ///
    /// Returns [`NationalIdError`] if it is not a well-formed number.
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
        // The century is encoded in the individual number by rules with exceptions. It matters only
        // for 29 February, for which every year divisible by four is treated as a leap year.
        if !is_date(2000 + y1 * 10 + y2, month, day) {
            return Err(NationalIdError::Date);
        }
        let sums_to_zero = |weights: &[u32]| {
            digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum::<u32>() % 11 == 0
        };
        // The last weight is that of the check digit itself.
        if !sums_to_zero(&[3, 7, 6, 1, 8, 9, 4, 5, 2, 1])
            || !sums_to_zero(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1])
        {
            return Err(NationalIdError::CheckDigit);
        }
        Ok(Self { text: text.into(), synthetic: month != raised })
    }

    /// Returns the digits. They must not be logged.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// Returns `true` if it is a number for tests, which no person has.
    #[must_use]
    pub const fn is_synthetic(&self) -> bool {
        self.synthetic
    }
}

impl FromStr for NorwegianNationalId {
    type Err = NationalIdError;

    fn from_str(text: &str) -> Result<Self, NationalIdError> {
        Self::parse(text)
    }
}

fn digits<const N: usize>(text: &str) -> Result<[u32; N], NationalIdError> {
    let mut digits = [0; N];
    let mut characters = text.chars();
    for slot in &mut digits {
        let character = characters.next().ok_or(NationalIdError::Length { expected: N })?;
        // Only ASCII: the claim has ASCII digits, and digits of other scripts would not equal them.
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
