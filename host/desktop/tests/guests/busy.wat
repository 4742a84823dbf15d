;; Computes for ever.
(component
  (core module $module (func (export "run") (loop $for_ever (br $for_ever))))
  (core instance $guest (instantiate $module))
  (func (export "run") (canon lift (core func $guest "run"))))
