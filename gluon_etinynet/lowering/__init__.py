"""From a fake-quantised Gluon network to the integer Graph: the only bridge between the two halves."""
