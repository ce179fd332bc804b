"""The report as one HTML file that opens offline: what it says, what it draws, and how it is put together."""
