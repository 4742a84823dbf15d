;; Computes, toggles a pin, and never waits: one round takes 5 001 operations and more.
(component
  (import "embedded:platform/gpio@0.2.0" (instance $gpio (export "toggle" (func (param "pin" u32)))))
  (core func $toggle (canon lower (func $gpio "toggle")))
  (core module $module
    (import "host" "toggle" (func $toggle (param i32)))
    (func (export "run")
      (local $n i32)
      (loop $for_ever
        (local.set $n (i32.const 1000))
        (loop $busy (br_if $busy (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (call $toggle (i32.const 25))
        (br $for_ever))))
  (core instance $guest (instantiate $module (with "host" (instance (export "toggle" (func $toggle))))))
  (func (export "run") (canon lift (core func $guest "run"))))
