//! A load generator that checks every answer, and reads the server's processor time.
