//! PostgreSQL, through a real client. Connections and pools are handles: the
//! address of a box, as an Int.

mod pg;
mod pool;
mod row;
mod sql;
