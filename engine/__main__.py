"""`python -m engine`. Kept tiny: a spawned worker imports it again."""

if __name__ == "__main__":
    from engine.commands.main import main

    raise SystemExit(main())
