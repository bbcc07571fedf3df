"""The network: files over HTTP, resumed, tried again, tried elsewhere, several at once."""
