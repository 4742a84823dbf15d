;; One pulse of 10 ms, then a trap.
(component
  (import "embedded:platform/gpio@0.1.0" (instance $gpio
    (export "set-high" (func (param "pin" u32)))
    (export "set-low" (func (param "pin" u32)))))
  (import "embedded:platform/timing@0.1.0" (instance $timing
    (export "delay-ms" (func (param "ms" u32)))))
  (core func $high (canon lower (func $gpio "set-high")))
  (core func $low (canon lower (func $gpio "set-low")))
  (core func $delay (canon lower (func $timing "delay-ms")))
  (core module $module
    (import "host" "high" (func $high (param i32)))
    (import "host" "low" (func $low (param i32)))
    (import "host" "delay" (func $delay (param i32)))
    (func (export "run")
      (call $high (i32.const 15))
      (call $delay (i32.const 10))
      (call $low (i32.const 15))
      unreachable))
  (core instance $guest (instantiate $module (with "host" (instance
    (export "high" (func $high)) (export "low" (func $low)) (export "delay" (func $delay))))))
  (func (export "run") (canon lift (core func $guest "run"))))
