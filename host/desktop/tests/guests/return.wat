;; Returns at once.
(component
  (core module $module (func (export "run")))
  (core instance $guest (instantiate $module))
  (func (export "run") (canon lift (core func $guest "run"))))
