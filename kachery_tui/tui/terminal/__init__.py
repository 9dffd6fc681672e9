"""What touches the terminal itself, below Textual's widgets."""
