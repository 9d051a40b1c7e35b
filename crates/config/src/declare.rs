//! The macro that turns the table of declarations into typed groups, their reader and the list of parameters.

/// Takes sections of parameters, each written as
///
/// ```text
/// /// One line of help.
/// "Name" | "alias" => field: Type
///     = kind, "default", Restart or Hangup [, Later];
/// ```
///
/// and makes of them one struct per section (the help is the field's documentation), `Values` with all
/// sections, `Values::read`, and `declared`, the list behind lookup, reference page and default file.
macro_rules! configuration {
    (@standing) => { Standing::Used };
    (@standing $standing:ident) => { Standing::$standing };
    ($(
        $(#[doc = $about:literal])+
        $visible:vis $section:ident: $Group:ident, $title:literal {
            $(
                $(#[doc = $help:literal])+
                $name:literal $(| $alias:literal)* => $field:ident: $type:ty
                    = $kind:expr, $default:expr, $reload:ident $(, $standing:ident)?;
            )*
        }
    )*) => {
        $(
            $(#[doc = $about])+
            #[derive(Clone, Debug, PartialEq, Eq)]
            $visible struct $Group { $( $(#[doc = $help])+ $visible $field: $type, )* }
        )*

        /// The values of all sections, before relations between them are looked at.
        pub(crate) struct Values { $( pub(crate) $section: $Group, )* }

        impl Values {
            /// Takes each parameter from the settings, else its default.
            pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
                Self { $( $section: $Group { $( $field: reader.read($name, $default, &$kind), )* }, )* }
            }
        }

        /// Every parameter that has a value, in the order of declaration.
        pub(crate) fn declared() -> Vec<Parameter> {
            let mut list = Vec::new();
            $($(
                list.push(Parameter {
                    name: $name,
                    aliases: &[$($alias),*],
                    section: $title,
                    default: $default,
                    accepts: $kind.expected(),
                    reload: Reload::$reload,
                    standing: configuration!(@standing $($standing)?),
                    help: concat!($($help),+).trim(),
                    secret: $kind.is_secret(),
                    holds_path_of: None,
                });
                if $kind.is_secret() {
                    list.push(Parameter::path_of($name, concat!($name, "File"), $title, Reload::$reload));
                }
            )*)*
            list
        }
    };
}

pub(crate) use configuration;
