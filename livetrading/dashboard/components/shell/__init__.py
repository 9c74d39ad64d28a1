"""What every page uses: frame, emergency stop, state of dialogs, refresh, and guards that keep errors apart."""
