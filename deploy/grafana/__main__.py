"""`python -m grafana`: write the dashboards."""

from grafana.files import files


def main() -> None:
    """Each into its file."""
    for path, text in files().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
