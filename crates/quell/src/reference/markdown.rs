//! Just enough Markdown: headings, paragraphs, tables.

/// A page in the making.
pub(super) struct Page(String);

impl Page {
    pub(super) fn new(title: &str, about: &str) -> Self {
        Self(format!("# {title}\n\n{about}\n"))
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.add(&format!("## {text}"));
    }

    pub(super) fn subheading(&mut self, text: &str) {
        self.add(&format!("### {text}"));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.add(text.trim_end());
    }

    pub(super) fn code(&mut self, language: &str, text: &str) {
        let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
        self.add(&format!("```{language}\n{}\n```", lines.join("\n")));
    }

    pub(super) fn end(self) -> String {
        self.0
    }

    fn add(&mut self, block: &str) {
        self.0.push('\n');
        self.0.push_str(block);
        self.0.push('\n');
    }
}

/// A table; nothing when it has no rows.
pub(super) fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let line = |cells: [String; N]| {
        let cells: Vec<String> = cells
            .iter()
            .map(|cell| cell.replace('|', "\\|").replace('\n', " "))
            .collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rows: String = rows.into_iter().map(line).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "{}{}{rows}",
        line(head.map(str::to_owned)),
        line([(); N].map(|()| "---".to_owned()))
    )
}
