"""Studies: many settings are tried on the folds of a training part, by one process or by many machines; the best is
trained once. Everything that a study finds is a function of its definition and bars."""
