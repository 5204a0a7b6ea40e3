//! How options of sockets are written down.

/// Each option with its getter, its setter, and what setsockopt(2), tcp(7) and ip(7) call it.
macro_rules! options {
    ($socket:ident: $($(#[$doc:meta])* $option:literal $get:ident -> $is:ty, $set:ident($to:ty);)*) => {
        /// Options. Each returns the error of getsockopt(2) or setsockopt(2).
        impl $socket {$(
            $(#[$doc])*
            #[doc = concat!("\n\nThe option `", $option, "`.\n\n# Errors\n\nThose of getsockopt(2).")]
            pub fn $get(&self) -> io::Result<$is> {
                self.io.source.socket.$get()
            }

            $(#[$doc])*
            #[doc = concat!("\n\nThe option `", $option, "`.\n\n# Errors\n\nThose of setsockopt(2).")]
            pub fn $set(&self, value: $to) -> io::Result<()> {
                self.io.source.socket.$set(value)
            }
        )*}
    };
}

pub(crate) use options;
