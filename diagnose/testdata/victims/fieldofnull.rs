// A pointer to a field of an object at NULL is handed to std, which fails on it.
struct Conn { id: u64, name: String }
struct Pool { items: Vec<*mut Conn> }
#[inline(never)] fn get(p: &Pool, i: usize) -> &'static Conn { unsafe { &*p.items[i] } }
fn main() { let mut p = Pool { items: vec![Box::into_raw(Box::new(Conn { id: 1, name: "a".into() })), std::ptr::null_mut()] }; p.items.push(std::ptr::null_mut()); let c = get(&p, 1); println!("{} {}", c.id, c.name); }
