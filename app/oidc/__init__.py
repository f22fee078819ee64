"""OpenID Connect: access tokens (JWT) of identity providers, checked with the keys that these publish."""
