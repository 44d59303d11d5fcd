//! The allocator of the module: lists of free blocks by size before that of the standard library.
//!
//! A run makes and drops many small texts and lists; each object has some fifty of them. That of
//! the standard library looks for the best place and puts free neighbours together, which costs
//! five times as much as all that is done here. Blocks that are free stay in the list of their
//! size, so that memory that was in use once is not given back to other sizes: runs need the same
//! sizes again and again.

#![expect(unsafe_code, reason = "an allocator is a trait of unsafe functions")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;

/// Sizes are rounded up to a multiple of this, which is also the alignment of all blocks, bytes.
const UNIT: usize = 16;
/// Blocks of so many units and more are left to the standard library.
const CLASSES: usize = 33;
/// Blocks are cut from pieces of this size, bytes.
const PIECE: usize = 1 << 16;

/// See the module.
pub(crate) struct Allocator(UnsafeCell<Lists>);

struct Lists {
    /// The first free block of each size; a free block begins with the address of the next one.
    free: [*mut u8; CLASSES],
    /// What is left of the last piece: its beginning, and how many bytes.
    rest: (*mut u8, usize),
}

// SAFETY: a module without atomics has one thread, and nothing here calls back.
#[cfg(not(target_feature = "atomics"))]
unsafe impl Sync for Allocator {}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(UnsafeCell::new(Lists {
    free: [ptr::null_mut(); CLASSES],
    rest: (ptr::null_mut(), 0),
}));

/// Which list the block is in; none if it is too large or too aligned.
#[inline]
fn class(size: usize, align: usize) -> Option<usize> {
    let class = size.div_ceil(UNIT);
    (class < CLASSES && align <= UNIT).then_some(class)
}

impl Lists {
    /// A new block, cut from a piece.
    ///
    /// # Safety
    /// As of [`GlobalAlloc::alloc`]: the class is not 0.
    #[cold]
    unsafe fn cut(&mut self, class: usize) -> *mut u8 {
        let size = class * UNIT;
        if self.rest.1 < size {
            // SAFETY: the layout is that of a piece, whose alignment is a power of two.
            let piece = unsafe { System.alloc(Layout::from_size_align_unchecked(PIECE, UNIT)) };
            if piece.is_null() {
                return piece;
            }
            self.rest = (piece, PIECE);
        }
        let block = self.rest.0;
        // SAFETY: the piece has at least so many bytes left.
        self.rest = (unsafe { block.add(size) }, self.rest.1 - size);
        block
    }
}

// SAFETY: a block is in one list or in use, and all of a list are of its size; the others are
// those of the standard library, to which they go back.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class(layout.size(), layout.align()) else {
            // SAFETY: what is asked of us is asked of it.
            return unsafe { System.alloc(layout) };
        };
        // SAFETY: there is one thread, and this borrow ends before anything else is called. A free
        // block begins with the address of the next one.
        unsafe {
            let lists = &mut *self.0.get();
            let block = lists.free[class];
            if block.is_null() {
                return lists.cut(class);
            }
            lists.free[class] = block.cast::<*mut u8>().read();
            block
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class(layout.size(), layout.align()) else {
            // SAFETY: it comes from there.
            return unsafe { System.dealloc(block, layout) };
        };
        // SAFETY: there is one thread; the block is nobody's any more, and has room for an address.
        unsafe {
            let lists = &mut *self.0.get();
            block.cast::<*mut u8>().write(lists.free[class]);
            lists.free[class] = block;
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (old, new) = (class(layout.size(), layout.align()), class(size, layout.align()));
        // SAFETY: a block of the same class has room; two that are the standard library's are its
        // own matter; otherwise all that is in both blocks is copied.
        unsafe {
            match (old, new) {
                (Some(old), Some(new)) if old == new => block,
                (None, None) => System.realloc(block, layout, size),
                _ => {
                    let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                    if !moved.is_null() {
                        ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    moved
                }
            }
        }
    }
}
