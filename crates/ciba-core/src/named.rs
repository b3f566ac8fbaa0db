//! The names of enums: one table for each, from which everything that needs the names is generated.

use core::fmt;

// The macro names these, so that the crate that calls it needs neither `alloc` nor `serde`.
#[doc(hidden)]
pub use {alloc::string::String, serde};

/// The error of a string that is not the name of any value of an enum. `Display` lists the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownName(&'static [&'static str]);

impl UnknownName {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(names: &'static [&'static str]) -> Self {
        Self(names)
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not one of")?;
        for (position, name) in self.0.iter().enumerate() {
            write!(f, "{} {name}", if position > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownName {}

/// Declares an enum together with the names of its variants, or names the variants of an enum that
/// is declared elsewhere.
///
/// - `enum E { V = "name", … }` has no data. It gets `ALL`, `name`, `from_name`, `FromStr`, and
///   serde in both directions. `V = "name" | "old"` also reads the name `old`.
/// - `enum E { V = "name", … } with { W(field: T) = name, … }` also has variants with one field. It
///   gets `name` and `Serialize`, and `without_data`, which finds a variant of the first block by
///   its name. `copied with` makes `name` take `self` and return a static string, `borrowed with`
///   is for names that the value owns.
/// - `impl E { V = "name", … } with { W, … }` names the variants of an enum whose data has another
///   shape. It gets `name`. A variant in the second block has the name of its field.
/// - `serialize E` implements `Serialize` for a type with a `name`.
///
/// `=> "message"` after each name makes `Display` write the message. Without it `Display` writes
/// the name.
#[doc(hidden)]
#[macro_export]
macro_rules! named {
    (
        $(#[$meta:meta])*
        $vis:vis enum $Enum:ident {
            $($(#[$doc:meta])* $Variant:ident = $name:literal $(| $old:literal)* $(=> $text:literal)?,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $vis enum $Enum {
            $($(#[$doc])* $Variant,)+
        }

        impl $Enum {
            /// All values, in the order of their declaration.
            #[allow(dead_code, reason = "not every enum is listed")]
            $vis const ALL: [Self; [$($name),+].len()] = [$(Self::$Variant),+];

            /// Returns the name, for machine-readable text.
            #[must_use]
            $vis const fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)+
                }
            }

            /// Returns the value with exactly this name.
            #[must_use]
            $vis fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name $(| $old)* => Some(Self::$Variant),)+
                    _ => None,
                }
            }
        }

        impl core::fmt::Display for $Enum {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(match self {
                    $(Self::$Variant => $crate::named::named!(@text $name $(, $text)?),)+
                })
            }
        }

        impl core::str::FromStr for $Enum {
            type Err = $crate::named::UnknownName;

            /// Reads the name. See [`Self::from_name`].
            fn from_str(name: &str) -> Result<Self, Self::Err> {
                Self::from_name(name).ok_or($crate::named::UnknownName::new(&[$($name),+]))
            }
        }

        $crate::named::named!(serialize $Enum);

        impl<'de> $crate::named::serde::Deserialize<'de> for $Enum {
            fn deserialize<D: $crate::named::serde::Deserializer<'de>>(
                from: D,
            ) -> Result<Self, D::Error> {
                // Owned, because a deserializer may have to unescape it.
                let name = <$crate::named::String as $crate::named::serde::Deserialize>::deserialize(
                    from,
                )?;
                name.parse().map_err($crate::named::serde::de::Error::custom)
            }
        }
    };

    (
        $(#[$meta:meta])*
        $vis:vis enum $Enum:ident {
            $($(#[$doc:meta])* $Variant:ident = $name:literal $(=> $text:literal)?,)+
        } $how:ident with {
            $($(#[$data_doc:meta])* $Data:ident($field:ident: $ty:ty) = $data_name:expr
                $(=> ($($data_text:tt)+))?,)+
        }
    ) => {
        $(#[$meta])*
        $vis enum $Enum {
            $($(#[$doc])* $Variant,)+
            $($(#[$data_doc])* $Data($ty),)+
        }

        impl $Enum {
            $crate::named::named!(@name $how $vis, {
                $(Self::$Variant => $name,)+
                $(Self::$Data($field) => $crate::named::named!(@discard $field, $data_name),)+
            });

            /// The number of variants with data. A list of them has this length, so that a new
            /// variant cannot be missing from it.
            #[allow(dead_code, reason = "not every enum lists them")]
            const WITH_DATA: usize = [$(stringify!($Data)),+].len();

            /// Returns the variant without data that has this name.
            fn without_data(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$Variant),)+
                    _ => None,
                }
            }
        }

        impl core::fmt::Display for $Enum {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self {
                    $(Self::$Variant => f.write_str($crate::named::named!(@text $name $(, $text)?)),)+
                    $(Self::$Data($field) => {
                        let _ = $field;
                        $crate::named::named!(@write f, $data_name $(, $($data_text)+)?)
                    })+
                }
            }
        }

        $crate::named::named!(serialize $Enum);
    };

    (
        impl $Enum:ident { $($Variant:ident = $name:literal,)+ } $(with { $($Data:ident,)+ })?
    ) => {
        impl $Enum {
            /// Returns the name, for machine-readable text.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$Variant { .. } => $name,)+
                    $($(Self::$Data(inner) => inner.name(),)+)?
                }
            }
        }
    };

    (serialize $Enum:ident) => {
        /// Serializes the name.
        impl $crate::named::serde::Serialize for $Enum {
            fn serialize<S: $crate::named::serde::Serializer>(
                &self,
                to: S,
            ) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.name())
            }
        }
    };

    (@name copied $vis:vis, { $($arms:tt)+ }) => {
        /// Returns the name, for machine-readable text.
        #[must_use]
        $vis const fn name(self) -> &'static str {
            match self { $($arms)+ }
        }
    };
    (@name borrowed $vis:vis, { $($arms:tt)+ }) => {
        /// Returns the name, for machine-readable text.
        #[must_use]
        $vis fn name(&self) -> &str {
            match self { $($arms)+ }
        }
    };
    (@discard $field:ident, $name:expr) => {{
        let _ = $field;
        $name
    }};

    (@text $name:literal) => { $name };
    (@text $name:literal, $text:literal) => { $text };
    (@write $f:ident, $name:expr) => { $f.write_str($name) };
    (@write $f:ident, $name:expr, $($text:tt)+) => { write!($f, $($text)+) };
}

#[doc(hidden)]
pub use named;

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::UnknownName;

    named! {
        enum Colour {
            Red = "red" | "crimson",
            Blue = "blue",
        }
    }

    named! {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Paint {
            Water = "water" => "water alone",
        } copied with {
            Coloured(colour: Colour) = colour.name() => ("paint that is {colour}"),
            Mixed(count: u8) = "mixed",
        }
    }

    #[test]
    fn each_name_parses_to_one_value_and_old_names_still_parse() {
        assert_eq!(Colour::ALL.map(Colour::name), ["red", "blue"]);
        assert_eq!("crimson".parse(), Ok(Colour::Red));
        assert_eq!(serde_json::from_str::<Colour>(r#""crims\u006fn""#).unwrap(), Colour::Red);
        assert_eq!(serde_json::to_string(&Colour::Red).unwrap(), r#""red""#);
        for other in ["Red", "red ", "", "green"] {
            let error = other.parse::<Colour>().unwrap_err();
            assert_eq!(error, UnknownName::new(&["red", "blue"]));
            assert_eq!(error.to_string(), "not one of red, blue");
            assert!(serde_json::from_value::<Colour>(other.into()).is_err(), "{other}");
        }
    }

    #[test]
    fn a_variant_with_data_can_have_the_name_and_the_message_of_its_data() {
        for (paint, name, message) in [
            (Paint::Water, "water", "water alone"),
            (Paint::Coloured(Colour::Blue), "blue", "paint that is blue"),
            (Paint::Mixed(2), "mixed", "mixed"),
        ] {
            assert_eq!((paint.name(), paint.to_string().as_str()), (name, message));
            assert_eq!(serde_json::to_value(paint).unwrap(), name);
            let found = Paint::without_data(name);
            assert_eq!(found.is_some(), paint == Paint::Water);
        }
    }
}
