"""From nothing to a working chat: answers are collected and checked first, and written in one go at the end."""
