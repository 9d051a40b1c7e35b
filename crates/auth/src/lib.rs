//! Who may do what: tokens verified, permissions judged.
