source_filename = "mesher"
target triple = "x86_64-unknown-linux-gnu"

%Pair = type { ptr, i64 }
%CounterState = type { %Pair }

@.str.0 = private unnamed_addr constant [12 x i8] c"say \22level\22\0A", align 1
@__service_counter_handlers = global [2 x ptr] [ptr @__service_counter_handle_call_get, ptr @__service_counter_handle_cast_put], align 8
@.panic_msg.0 = private unnamed_addr constant [30 x i8] c"non-exhaustive match in switch", align 1
@.panic_msg.1 = private unnamed_addr constant [9 x i8] c"<unknown>", align 1
@.str.1 = private unnamed_addr constant [7 x i8] c"counter", align 1

define %Pair @make_pair(ptr %name.arg, i64 %n.arg) #0 {
entry:
  %name = alloca ptr, align 8
  %n = alloca i64, align 8
  store ptr %name.arg, ptr %name, align 8
  store i64 %n.arg, ptr %n, align 8
  %n.1 = load i64, ptr %n, align 8
  %add = add i64 %n.1, 1
  %name.1 = load ptr, ptr %name, align 8
  %agg = insertvalue %Pair poison, ptr %name.1, 0
  %agg.1 = insertvalue %Pair %agg, i64 %add, 1
  ret %Pair %agg.1
}

define i64 @Config__level(ptr %name.arg) #0 {
entry:
  %name = alloca ptr, align 8
  %set = alloca ptr, align 8
  %i = alloca i64, align 8
  store ptr %name.arg, ptr %name, align 8
  %name.1 = load ptr, ptr %name, align 8
  %env_get = call ptr @mesh_env_get(ptr %name.1)
  %res = load { i8, ptr }, ptr %env_get, align 8
  %set.tag = extractvalue { i8, ptr } %res, 0
  %set.val = extractvalue { i8, ptr } %res, 1
  store ptr %set.val, ptr %set, align 8
  %eq = icmp eq i8 %set.tag, 0
  br i1 %eq, label %then, label %else
then:
  store i64 0, ptr %i, align 8
  br label %while
while:
  %set.2 = load ptr, ptr %set, align 8
  %string_length = call i64 @mesh_string_length(ptr %set.2)
  %i.2 = load i64, ptr %i, align 8
  %slt = icmp slt i64 %i.2, %string_length
  br i1 %slt, label %body, label %done
body:
  %i.3 = load i64, ptr %i, align 8
  %add = add i64 %i.3, 1
  store i64 %add, ptr %i, align 8
  call void @mesh_reduction_check()
  br label %while
done:
  %i.4 = load i64, ptr %i, align 8
  ret i64 %i.4
else:
  %str = call ptr @mesh_string_new(ptr @.str.0, i64 12)
  call void @mesh_println(ptr %str)
  ret i64 -1
join:
  unreachable
}

define %CounterState @__service_counter_init(ptr %name.arg) #0 {
entry:
  %name = alloca ptr, align 8
  store ptr %name.arg, ptr %name, align 8
  %name.1 = load ptr, ptr %name, align 8
  %make_pair = call %Pair @make_pair(ptr %name.1, i64 0)
  %agg = insertvalue %CounterState poison, %Pair %make_pair, 0
  ret %CounterState %agg
}

define { %CounterState, i64 } @__service_counter_handle_call_get(%CounterState %state.arg) #0 {
entry:
  %state = alloca %CounterState, align 8
  store %CounterState %state.arg, ptr %state, align 8
  %state.1 = load %CounterState, ptr %state, align 8
  %agg = insertvalue { %CounterState, i64 } poison, %CounterState %state.1, 0
  %agg.1 = insertvalue { %CounterState, i64 } %agg, i64 7, 1
  ret { %CounterState, i64 } %agg.1
}

define %CounterState @__service_counter_handle_cast_put(%CounterState %state.arg, i64 %n.arg) #0 {
entry:
  %state = alloca %CounterState, align 8
  %n = alloca i64, align 8
  store %CounterState %state.arg, ptr %state, align 8
  store i64 %n.arg, ptr %n, align 8
  %state.1 = load %CounterState, ptr %state, align 8
  ret %CounterState %state.1
}

define void @__service_counter_loop(ptr %args.arg) #0 {
entry:
  %args = alloca ptr, align 8
  %state = alloca %CounterState, align 8
  %msg = alloca ptr, align 8
  %tag = alloca i64, align 8
  %caller = alloca i64, align 8
  %reply = alloca i64, align 8
  store ptr %args.arg, ptr %args, align 8
  %args.1 = load ptr, ptr %args, align 8
  %unboxed = load %CounterState, ptr %args.1, align 8
  store %CounterState %unboxed, ptr %state, align 8
  br label %loop
loop:
  %actor_receive = call ptr @mesh_actor_receive(i64 -1)
  store ptr %actor_receive, ptr %msg, align 8
  %msg.2 = load ptr, ptr %msg, align 8
  %at = getelementptr inbounds i8, ptr %msg.2, i64 16
  %field = load i64, ptr %at, align 8
  store i64 %field, ptr %tag, align 8
  %msg.3 = load ptr, ptr %msg, align 8
  %at.1 = getelementptr inbounds i8, ptr %msg.3, i64 24
  %field.1 = load i64, ptr %at.1, align 8
  store i64 %field.1, ptr %caller, align 8
  %tag.2 = load i64, ptr %tag, align 8
  switch i64 %tag.2, label %nomatch [ i64 0, label %case0 i64 1, label %case1 ]
case0:
  %entry.1 = getelementptr inbounds [2 x ptr], ptr @__service_counter_handlers, i64 0, i64 0
  %handler = load ptr, ptr %entry.1, align 8
  %state.2 = load %CounterState, ptr %state, align 8
  %both = call { %CounterState, i64 } %handler(%CounterState %state.2)
  %next = extractvalue { %CounterState, i64 } %both, 0
  store %CounterState %next, ptr %state, align 8
  %word = extractvalue { %CounterState, i64 } %both, 1
  store i64 %word, ptr %reply, align 8
  %caller.2 = load i64, ptr %caller, align 8
  call void @mesh_service_reply(i64 %caller.2, ptr %reply, i64 8)
  br label %switched
case1:
  %entry.2 = getelementptr inbounds [2 x ptr], ptr @__service_counter_handlers, i64 0, i64 1
  %handler.1 = load ptr, ptr %entry.2, align 8
  %state.3 = load %CounterState, ptr %state, align 8
  %msg.4 = load ptr, ptr %msg, align 8
  %at.2 = getelementptr inbounds i8, ptr %msg.4, i64 32
  %field.2 = load i64, ptr %at.2, align 8
  %next.1 = call %CounterState %handler.1(%CounterState %state.3, i64 %field.2)
  store %CounterState %next.1, ptr %state, align 8
  br label %switched
nomatch:
  call void @mesh_panic(ptr @.panic_msg.0, i64 30, ptr @.panic_msg.1, i64 9, i32 0)
  unreachable
switched:
  call void @mesh_reduction_check()
  br label %loop
}

define i64 @__service_counter_start(ptr %name.arg) #0 {
entry:
  %name = alloca ptr, align 8
  %state = alloca %CounterState, align 8
  %pid = alloca i64, align 8
  store ptr %name.arg, ptr %name, align 8
  %name.1 = load ptr, ptr %name, align 8
  %__service_counter_init = call %CounterState @__service_counter_init(ptr %name.1)
  store %CounterState %__service_counter_init, ptr %state, align 8
  %actor_spawn = call i64 @mesh_actor_spawn(ptr @__service_counter_loop, ptr %state, i64 16, i8 1)
  store i64 %actor_spawn, ptr %pid, align 8
  %str = call ptr @mesh_string_new(ptr @.str.1, i64 7)
  %pid.2 = load i64, ptr %pid, align 8
  %process_register = call i64 @mesh_process_register(ptr %str, i64 %pid.2)
  %pid.3 = load i64, ptr %pid, align 8
  ret i64 %pid.3
}

define i64 @__service_counter_call_get(i64 %pid.arg) #0 {
entry:
  %pid = alloca i64, align 8
  %payload = alloca [0 x i64], align 8
  %reply = alloca ptr, align 8
  store i64 %pid.arg, ptr %pid, align 8
  %pid.1 = load i64, ptr %pid, align 8
  %service_call = call ptr @mesh_service_call(i64 %pid.1, i64 0, ptr %payload, i64 0)
  store ptr %service_call, ptr %reply, align 8
  %reply.2 = load ptr, ptr %reply, align 8
  %at = getelementptr inbounds i8, ptr %reply.2, i64 16
  %field = load i64, ptr %at, align 8
  ret i64 %field
}

define void @__service_counter_cast_put(i64 %pid.arg, i64 %n.arg) #0 {
entry:
  %pid = alloca i64, align 8
  %n = alloca i64, align 8
  %msg = alloca [3 x i64], align 8
  store i64 %pid.arg, ptr %pid, align 8
  store i64 %n.arg, ptr %n, align 8
  %msg.w = getelementptr inbounds i64, ptr %msg, i64 0
  store i64 1, ptr %msg.w, align 8
  %msg.w.1 = getelementptr inbounds i64, ptr %msg, i64 1
  store i64 0, ptr %msg.w.1, align 8
  %n.1 = load i64, ptr %n, align 8
  %msg.w.2 = getelementptr inbounds i64, ptr %msg, i64 2
  store i64 %n.1, ptr %msg.w.2, align 8
  %pid.1 = load i64, ptr %pid, align 8
  call void @mesh_actor_send(i64 %pid.1, ptr %msg, i64 24)
  ret void
}

define void @__actor_beat_body(i64 %pid.arg) #0 {
entry:
  %pid = alloca i64, align 8
  store i64 %pid.arg, ptr %pid, align 8
  br label %loop
loop:
  call void @mesh_timer_sleep(i64 250)
  %pid.1 = load i64, ptr %pid, align 8
  call void @__service_counter_cast_put(i64 %pid.1, i64 2)
  call void @mesh_reduction_check()
  br label %loop
}

define void @beat(ptr %args.arg) #0 {
entry:
  %args = alloca ptr, align 8
  store ptr %args.arg, ptr %args, align 8
  %args.1 = load ptr, ptr %args, align 8
  %at = getelementptr inbounds i8, ptr %args.1, i64 0
  %field = load i64, ptr %at, align 8
  call void @__actor_beat_body(i64 %field)
  ret void
}

