"""What failures have in common: the shapes of answers, pairs of labels, slices of inputs."""
