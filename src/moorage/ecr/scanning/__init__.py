"""Operations of scanning."""
