;; Asks for something that is not in the world.
(component
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "initial-cwd" (func (result bool)))))
  (core func $cwd (canon lower (func $environment "initial-cwd")))
  (core module $module
    (import "host" "cwd" (func $cwd (result i32)))
    (func (export "run") (drop (call $cwd))))
  (core instance $guest (instantiate $module (with "host" (instance (export "cwd" (func $cwd))))))
  (func (export "run") (canon lift (core func $guest "run"))))
