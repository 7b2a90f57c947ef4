"""Messages that other people's routers sent: ../shared/data, decoded and encoded again."""
