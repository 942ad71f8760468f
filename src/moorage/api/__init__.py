"""The API endpoint: several services of AWS at one address. Their handlers only translate."""
