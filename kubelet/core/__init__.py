"""What a kubelet decides, without I/O."""
