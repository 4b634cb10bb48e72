//! What `up` and `plan` are asked to do beside what the steps say: data.

/// What a run is asked to do beside what the steps say.
#[derive(Debug, Clone, Copy)]
pub struct RunOptions<'a> {
    /// The last chapter.
    pub through: Option<&'a str>,
    /// Whether existing resources that are not ours are adopted.
    pub adopt: bool,
    /// The steps whose resources are deleted and created again.
    pub replace: &'a [String],
}
