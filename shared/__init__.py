"""What the processes have in common. It knows none of them."""
