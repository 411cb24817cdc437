"""Where the sentence pairs come from: the download, the embedded sample and the grammar behind it."""
