//! Counters of windows and runs. A new one also needs columns and a place that shows it.

use std::ops::AddAssign;

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use super::bigint;

macro_rules! counters {
    ($($name:ident)+) => {
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counters {
            pub windows: u64,
            $(pub $name: u64,)+
        }

        impl AddAssign for Counters {
            fn add_assign(&mut self, other: Self) {
                self.windows += other.windows;
                $(self.$name += other.$name;)+
            }
        }

        impl Counters {
            /// Columns of both `windows` and `runs`; a run also counts its windows.
            pub(super) const COLUMNS: &[&str] = &[$(stringify!($name)),+];

            pub(super) fn bind<'q>(
                &self,
                query: Query<'q, Postgres, PgArguments>,
            ) -> Query<'q, Postgres, PgArguments> {
                query$(.bind(bigint(self.$name)))+
            }
        }
    };
}

counters! {
    pages requests records distinct_records inserted updated unchanged rejected missing judged missed
    left_out retries rate_limited
}

/// `$first, $first+1, …`, one for each column.
pub(super) fn parameters(first: usize) -> String {
    let parameters = (first..).take(Counters::COLUMNS.len());
    parameters
        .map(|place| format!("${place}"))
        .collect::<Vec<_>>()
        .join(", ")
}
