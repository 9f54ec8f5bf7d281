; Functions of every shape at a boundary, as a compiler without C's rules makes them: aggregates returned directly, small
; tags beside pointers, hidden result pointers. main dies in @die so that the process can be looked at.
target triple = "x86_64-pc-linux-gnu"

@text = internal constant [6 x i8] c"hello\00"
@sink = global i64 0
@zero = global i64 0

declare ptr @calloc(i64, i64)

define void @nothing(i64 %a) noinline optnone {
  store volatile i64 %a, ptr @sink
  ret void
}

define i64 @word(i64 %a, i64 %b) noinline optnone {
  %s = add i64 %a, %b
  ret i64 %s
}

define i32 @half(i32 %a) noinline optnone {
  %s = mul i32 %a, 3
  ret i32 %s
}

define i8 @byte(i8 %a) noinline optnone {
  %s = xor i8 %a, 1
  ret i8 %s
}

define ptr @field(ptr %p) noinline optnone {
  %q = getelementptr i8, ptr %p, i64 16
  %v = load ptr, ptr %q
  ret ptr %v
}

; a tag and a pointer by value: al and rdx
define { i8, ptr } @tagged(ptr %p) noinline optnone {
  %v = load volatile i8, ptr @zero
  %a = insertvalue { i8, ptr } undef, i8 %v, 0
  %b = insertvalue { i8, ptr } %a, ptr %p, 1
  ret { i8, ptr } %b
}

; three words: rax, rdx, rcx
define { i64, i64, ptr } @three(i64 %a) noinline optnone {
  %v = load volatile i64, ptr @zero
  %n = inttoptr i64 %v to ptr
  %x = insertvalue { i64, i64, ptr } undef, i64 %a, 0
  %y = insertvalue { i64, i64, ptr } %x, i64 7, 1
  %z = insertvalue { i64, i64, ptr } %y, ptr %n, 2
  ret { i64, i64, ptr } %z
}

define void @hidden(ptr sret({ i64, i64, i64, ptr }) %out, i64 %a) noinline optnone {
  store i64 %a, ptr %out
  %p = getelementptr i8, ptr %out, i64 24
  %v = load volatile i64, ptr @zero
  store i64 %v, ptr %p
  ret void
}

; the caller takes the pointer that @field returns for a tag and a pointer
define i64 @takes_tagged(ptr %p) noinline optnone {
  %r = call { i8, ptr } @field(ptr %p)
  %t = extractvalue { i8, ptr } %r, 0
  %v = extractvalue { i8, ptr } %r, 1
  %c = icmp eq i8 %t, 0
  br i1 %c, label %ok, label %bad
ok:
  %x = call i64 @die(ptr %v)
  ret i64 %x
bad:
  %y = call i64 @die(ptr %v)
  ret i64 %y
}

define i64 @uses_tagged(ptr %p) noinline optnone {
  %r = call { i8, ptr } @tagged(ptr null)
  %t = extractvalue { i8, ptr } %r, 0
  %v = extractvalue { i8, ptr } %r, 1
  %c = icmp eq i8 %t, 0
  br i1 %c, label %ok, label %bad
ok:
  %x = call i64 @die(ptr %v)
  ret i64 %x
bad:
  ret i64 1
}

define i64 @uses_three(i64 %a) noinline optnone {
  %r = call { i64, i64, ptr } @three(i64 %a)
  %v = extractvalue { i64, i64, ptr } %r, 2
  %k = extractvalue { i64, i64, ptr } %r, 0
  %m = extractvalue { i64, i64, ptr } %r, 1
  %s = add i64 %k, %m
  store volatile i64 %s, ptr @sink
  %x = call i64 @die(ptr %v)
  ret i64 %x
}

define i64 @uses_hidden(i64 %a) noinline optnone {
  %slot = alloca { i64, i64, i64, ptr }
  call void @hidden(ptr sret({ i64, i64, i64, ptr }) %slot, i64 %a)
  %q = getelementptr i8, ptr %slot, i64 24
  %v = load ptr, ptr %q
  %x = call i64 @die(ptr %v)
  ret i64 %x
}

; one argument too few
define i64 @arity() noinline optnone {
  call void @nothing(i64 3)
  %s = call i64 @word(i64 40)
  store volatile i64 %s, ptr @sink
  %x = call i64 @die(ptr null)
  ret i64 %x
}

define i64 @uses_half() noinline optnone {
  %h = call i32 @half(i32 5)
  %w = sext i32 %h to i64
  store volatile i64 %w, ptr @sink
  %x = call i64 @die(ptr null)
  ret i64 %x
}

define i64 @die(ptr %p) noinline optnone {
  %v = load volatile i64, ptr %p
  %s = add i64 %v, 1
  ret i64 %s
}

define i32 @main(i32 %argc, ptr %argv) {
  %m = call ptr @calloc(i64 4, i64 16)
  %n = sext i32 %argc to i64
  switch i32 %argc, label %done [ i32 1, label %c1
    i32 2, label %c2
    i32 3, label %c3
    i32 4, label %c4
    i32 5, label %c5
    i32 6, label %c6 ]
c1:
  %r1 = call i64 @takes_tagged(ptr %m)
  br label %done
c2:
  %r2 = call i64 @uses_tagged(ptr %m)
  br label %done
c3:
  %r3 = call i64 @uses_three(i64 %n)
  br label %done
c4:
  %r4 = call i64 @uses_hidden(i64 %n)
  br label %done
c5:
  %r5 = call i64 @arity()
  br label %done
c6:
  %r6 = call i64 @uses_half()
  br label %done
done:
  ret i32 0
}
