"""Words of the page: numbers, names, sentences, the glossary."""
