//! The heap of one actor: 64 KiB pages, a header before each object, a first-fit
//! free list, and a conservative mark-and-sweep collector that moves nothing.
//!
//! The headers sit between the objects they describe. Whoever writes past the
//! end of an object therefore breaks the object list, and it is a later
//! collection that faults.

use std::ptr::null_mut;

/// Bytes in an ordinary page.
pub const PAGE_SIZE: usize = 64 * 1024;
/// Bytes allocated since the last collection that make the next one due.
const COLLECT_AFTER: usize = 256 * 1024;

const MARKED: u8 = 1;
const LEAF: u8 = 2;
const COMPILED: u8 = 4;

/// What an object may contain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes; never a reference.
    Leaf,
    /// Words of a runtime object, any of which may be a reference.
    Scanned,
    /// Words of an object that compiled code laid out itself.
    Compiled,
}

/// Stands before each object. `next` links the object list or the free list.
#[repr(C)]
pub struct Header {
    size: u32,
    flags: u8,
    _pad: [u8; 3],
    next: *mut Header,
}

const HEADER: usize = size_of::<Header>();

impl Header {
    unsafe fn body(this: *mut Header) -> usize {
        this as usize + HEADER
    }
}

struct Page {
    start: *mut u8,
    used: usize,
    size: usize,
}

/// All memory of one actor, and the lists that thread through it.
pub struct ActorHeap {
    pages: Vec<Page>,
    objects: *mut Header,
    free: *mut Header,
    since_collect: usize,
}

/// A contiguous run of words that may hold references: a stack, a buffer.
#[derive(Clone, Copy)]
pub struct Roots {
    pub from: usize,
    pub to: usize,
}

unsafe impl Send for ActorHeap {}

impl Default for ActorHeap {
    fn default() -> Self {
        ActorHeap::new()
    }
}

impl ActorHeap {
    pub const fn new() -> ActorHeap {
        ActorHeap { pages: Vec::new(), objects: null_mut(), free: null_mut(), since_collect: 0 }
    }

    /// A zeroed object of at least `size` bytes, 16-byte aligned.
    #[inline(never)]
    pub fn alloc(&mut self, size: usize, kind: Kind) -> *mut u8 {
        let size = (size.max(1) + 15) & !15;
        unsafe {
            let mut header = self.take_free(size);
            if header.is_null() {
                header = self.bump(size);
                (*header).size = size as u32;
            }
            (*header).flags = match kind {
                Kind::Leaf => LEAF,
                Kind::Scanned => 0,
                Kind::Compiled => COMPILED,
            };
            (*header).next = self.objects;
            self.objects = header;
            self.since_collect += (*header).size as usize + HEADER;
            let body = Header::body(header) as *mut u8;
            body.write_bytes(0, (*header).size as usize);
            body
        }
    }

    /// First fit on the free list; objects are not split.
    unsafe fn take_free(&mut self, size: usize) -> *mut Header {
        unsafe {
            let mut link: *mut *mut Header = &mut self.free;
            while !(*link).is_null() {
                let header = *link;
                let have = (*header).size as usize;
                if have >= size && have <= size * 2 {
                    *link = (*header).next;
                    return header;
                }
                link = &mut (*header).next;
            }
        }
        null_mut()
    }

    unsafe fn bump(&mut self, size: usize) -> *mut Header {
        let need = size + HEADER;
        if self.pages.last().is_none_or(|page| page.size - page.used < need) {
            self.add_page(need);
        }
        let page = self.pages.last_mut().expect("a page was just added");
        let header = unsafe { page.start.add(page.used) } as *mut Header;
        page.used += need;
        header
    }

    fn add_page(&mut self, need: usize) {
        let size = need.max(PAGE_SIZE);
        let start = unsafe { libc::malloc(size) } as *mut u8;
        if start.is_null() {
            let layout = std::alloc::Layout::from_size_align(size, 16).expect("page layout");
            std::alloc::handle_alloc_error(layout);
        }
        self.pages.push(Page { start, used: 0, size });
    }

    /// Whether enough was allocated for a collection to be worth it.
    pub fn wants_collect(&self) -> bool {
        self.since_collect > COLLECT_AFTER
    }

    /// Frees every object that no word of `roots` leads to.
    #[inline(never)]
    pub fn collect(&mut self, roots: &[Roots]) {
        let live = self.index();
        let mut pending = Vec::new();
        for root in roots {
            self.scan(&live, root.from, root.to, &mut pending);
        }
        while let Some(header) = pending.pop() {
            self.mark(&live, header, &mut pending);
        }
        self.sweep();
        self.since_collect = 0;
    }

    /// Addresses of all objects on the list, sorted.
    fn index(&self) -> Vec<usize> {
        let mut live = Vec::new();
        let mut header = self.objects;
        while !header.is_null() {
            live.push(header as usize);
            header = unsafe { (*header).next };
        }
        live.sort_unstable();
        live
    }

    /// The object whose body contains `word`, if any.
    fn find(&self, live: &[usize], word: usize) -> Option<*mut Header> {
        let after = live.partition_point(|&header| header + HEADER <= word);
        let header = *live.get(after.checked_sub(1)?)? as *mut Header;
        let end = unsafe { Header::body(header) + (*header).size as usize };
        (word < end).then_some(header)
    }

    /// Marks what the words in `[from, to)` may refer to.
    fn scan(&self, live: &[usize], from: usize, to: usize, pending: &mut Vec<*mut Header>) {
        let mut at = (from + 7) & !7;
        while at + 8 <= to {
            let word = unsafe { (at as *const usize).read_volatile() };
            if let Some(header) = self.find(live, word) {
                push_unmarked(header, pending);
            }
            at += 8;
        }
    }

    /// Follows the words of one object.
    #[inline(never)]
    fn mark(&self, live: &[usize], header: *mut Header, pending: &mut Vec<*mut Header>) {
        unsafe {
            if (*header).flags & LEAF != 0 {
                return;
            }
            let body = Header::body(header);
            let end = body + (*header).size as usize;
            if cfg!(feature = "gc-moving-handles") && (*header).flags & COMPILED != 0 {
                follow_all(body, end, pending);
                return;
            }
            self.scan(live, body, end, pending);
        }
    }

    /// Moves unmarked objects to the free list.
    #[inline(never)]
    fn sweep(&mut self) {
        unsafe {
            let mut link: *mut *mut Header = &mut self.objects;
            while !(*link).is_null() {
                let header = *link;
                if (*header).flags & MARKED != 0 {
                    (*header).flags &= !MARKED;
                    link = &mut (*header).next;
                    continue;
                }
                *link = (*header).next;
                (*header).next = self.free;
                self.free = header;
            }
        }
    }
}

/// A collector that believes its compiler: every word that is not zero is an
/// object, so its header is read without a look at the list.
#[inline(always)]
unsafe fn follow_all(body: usize, end: usize, pending: &mut Vec<*mut Header>) {
    let mut at = body;
    while at < end {
        unsafe {
            let word = *(at as *const usize);
            if word != 0 {
                push_unmarked(word.wrapping_sub(HEADER) as *mut Header, pending);
            }
        }
        at += 8;
    }
}

#[inline(always)]
fn push_unmarked(header: *mut Header, pending: &mut Vec<*mut Header>) {
    unsafe {
        if (*header).flags & MARKED == 0 {
            (*header).flags |= MARKED;
            pending.push(header);
        }
    }
}

impl Drop for ActorHeap {
    fn drop(&mut self) {
        for page in &self.pages {
            unsafe { libc::free(page.start as *mut libc::c_void) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(words: &[usize]) -> Roots {
        let from = words.as_ptr() as usize;
        Roots { from, to: from + size_of_val(words) }
    }

    #[test]
    fn collect_keeps_what_roots_lead_to_and_moves_nothing() {
        let mut heap = ActorHeap::new();
        let outer = heap.alloc(16, Kind::Scanned) as *mut usize;
        let inner = heap.alloc(8, Kind::Leaf);
        heap.alloc(8, Kind::Leaf);
        unsafe {
            inner.write(42);
            outer.add(1).write(inner as usize);
        }
        heap.collect(&[holding(&[7, outer as usize])]);
        assert_eq!(heap.index().len(), 2);
        assert_eq!(unsafe { inner.read() }, 42);
    }

    #[test]
    fn a_pointer_into_an_object_keeps_it() {
        let mut heap = ActorHeap::new();
        let object = heap.alloc(64, Kind::Leaf) as usize;
        heap.collect(&[holding(&[object + 63])]);
        assert_eq!(heap.index().len(), 1);
        heap.collect(&[holding(&[object + 64])]);
        assert_eq!(heap.index().len(), 0);
    }

    #[test]
    fn leaves_are_not_followed() {
        let mut heap = ActorHeap::new();
        let leaf = heap.alloc(8, Kind::Leaf) as *mut usize;
        let other = heap.alloc(8, Kind::Leaf);
        unsafe { leaf.write(other as usize) };
        heap.collect(&[holding(&[leaf as usize])]);
        assert_eq!(heap.index().len(), 1);
    }

    #[test]
    fn freed_memory_is_used_again_and_comes_zeroed() {
        let mut heap = ActorHeap::new();
        let first = heap.alloc(32, Kind::Leaf);
        unsafe { first.write_bytes(0xff, 32) };
        heap.collect(&[]);
        let second = heap.alloc(32, Kind::Leaf);
        assert_eq!(first, second);
        assert_eq!(unsafe { std::slice::from_raw_parts(second, 32) }, [0; 32]);
    }

    #[test]
    #[cfg(not(feature = "gc-moving-handles"))]
    fn small_integers_in_objects_are_harmless() {
        let mut heap = ActorHeap::new();
        let object = heap.alloc(16, Kind::Compiled) as *mut usize;
        unsafe { object.write(3) };
        heap.collect(&[holding(&[object as usize])]);
        assert_eq!(heap.index().len(), 1);
    }

    #[test]
    fn objects_larger_than_a_page_get_their_own() {
        let mut heap = ActorHeap::new();
        let big = heap.alloc(3 * PAGE_SIZE, Kind::Leaf);
        unsafe { big.add(3 * PAGE_SIZE - 1).write(1) };
        assert!(!heap.alloc(8, Kind::Leaf).is_null());
    }
}
