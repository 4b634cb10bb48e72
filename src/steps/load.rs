//! Reads all files of a folder into a [`Tutorial`] whose references all resolve. It reports all errors at once.

use super::SourceLocation;
use super::chapter::{self, ChapterFile};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::manifest::{self, Manifests};
use super::params::{self};
use super::references::check;
use super::source::{self, File, PARAMS_FILE, Source};
use super::tutorial::Tutorial;
use super::yaml::{self, Node};

impl Tutorial {
    /// Reads and checks a folder.
    ///
    /// # Errors
    /// A folder that cannot be read or has no step. All errors in any file: text that is not YAML, unknown and missing fields, duplicate names, references that are unknown,
    /// forward, or circular.
    pub fn load(source: &Source) -> Result<Tutorial, Diagnostics> {
        let tutorial = parse(&source::files(source)?)?;
        match source.must_have_steps() {
            // To `up`, a folder without a step is an environment without a resource: most likely the wrong folder.
            Some(dir) if tutorial.steps().next().is_none() => {
                let dir = dir.display();
                let text = format!("no steps in {dir}: it has no file NN-CHAPTER.yaml with a step");
                Err(Diagnostic::nowhere(text).into())
            }
            _ => Ok(tutorial),
        }
    }
}

/// Parses the files' texts into a tutorial. Pure.
pub(super) fn parse(files: &[File]) -> Result<Tutorial, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let mut tutorial = Tutorial {
        params: Vec::new(),
        chapters: Vec::new(),
        templates: Vec::new(),
        outputs: Vec::new(),
    };
    let mut skipped = false;
    let mut documents = |file: &File, diagnostics: &mut Diagnostics| -> Option<Vec<Node>> {
        yaml::documents(&file.shown, &file.text)
            .map_err(|diagnostic| {
                diagnostics.0.push(diagnostic);
                skipped = true;
            })
            .ok()
    };
    let (objects, chapters): (Vec<&File>, Vec<&File>) =
        files.iter().partition(|file| manifest::is_name(&file.name));
    let mut manifests = Manifests::default();
    for file in objects {
        let documents = documents(file, &mut diagnostics);
        manifests.add(
            &file.name,
            &file.shown,
            documents.as_deref(),
            &mut diagnostics,
        );
    }
    for file in chapters {
        let Some(documents) = documents(file, &mut diagnostics) else {
            continue;
        };
        if file.name == PARAMS_FILE {
            let params = &mut tutorial.params;
            params::read(params, &file.shown, &documents, &mut diagnostics);
        } else if let Some(name) = file.name.strip_suffix(".yaml") {
            if let Some(read) =
                chapter::read(&file.shown, name, &documents, &manifests, &mut diagnostics)
            {
                tutorial.add(read, &mut diagnostics);
            }
        } else {
            diagnostics.add(
                &SourceLocation {
                    file: file.shown.clone(),
                    line: 1,
                },
                "a chapter's file is named NN-CHAPTER.yaml",
            );
        }
    }
    // What an unreadable file would have defined is not reported as missing.
    if !skipped {
        check(&tutorial, &mut diagnostics);
    }
    diagnostics.or(tutorial)
}

impl Tutorial {
    fn add(&mut self, read: ChapterFile, diagnostics: &mut Diagnostics) {
        let ChapterFile {
            chapter,
            templates,
            outputs,
        } = read;
        if let Some(first) = self.chapters.iter().find(|c| c.name == chapter.name) {
            let text = format!(
                "chapter `{}` is defined twice, first at {}",
                chapter.name, first.source
            );
            diagnostics.add(&chapter.source, text);
        }
        for template in outputs {
            let output = &template.output;
            // A later chapter's output replaces an earlier one with its name; in one chapter, that is a mistake.
            let first = self.outputs().find(|first| {
                !output.name.is_empty()
                    && first.name == output.name
                    && first.chapter == output.chapter
            });
            if let Some(first) = first {
                let text = format!(
                    "output `{}` is defined twice, first at {}",
                    first.name, first.source
                );
                diagnostics.add(&output.source, text);
                continue;
            }
            self.outputs.push(template);
        }
        self.chapters.push(chapter);
        for template in templates {
            // It has been reported, and nothing can refer to it.
            if template.step.id.is_empty() {
                continue;
            }
            if let Some(first) = self.steps().find(|step| step.id == template.step.id) {
                let text = format!(
                    "step `{}` is defined twice, first at {}",
                    first.id, first.source
                );
                diagnostics.add(&template.step.source, text);
                continue;
            }
            self.templates.push(template);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FIRST, PARAMS, STEP, of_texts, with};

    #[test]
    fn a_step_is_read_as_it_is_written() {
        let text = "says: >\n  Two\n  lines.\nstep: b\nkind: k\nat: {project: x}\nwant: {n: [1, true]}\nneeds: [a]\n\
            within: 90s\nkeep: true\n";
        let tutorial = with(text).unwrap();
        let step = tutorial.steps().find(|step| step.id == "b").unwrap();
        assert_eq!(
            (step.says.as_str(), step.chapter.as_str()),
            ("Two lines.", "second")
        );
        assert_eq!(step.want, serde_json::json!({"n": [1, true]}));
        assert_eq!((step.within.as_secs(), step.keep), (90, true));
        // A step's location is that of its name, whatever precedes it.
        assert_eq!(step.source.to_string(), "steps/20-second.yaml:8");
        let names: Vec<&str> = tutorial
            .chapters
            .iter()
            .map(|chapter| chapter.name.as_str())
            .collect();
        assert_eq!(names, ["first", "second"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (lines, told) in [
            (
                "wants: {}",
                "2:9: unknown field `wants`, did you mean `want`?",
            ),
            (
                "within: soon",
                "2:9: `soon` is not a duration of at most 6h, such as 90s, 30m or 1h",
            ),
            (
                "within: 7h",
                "2:9: `7h` is not a duration of at most 6h, such as 90s, 30m or 1h",
            ),
            (
                "within: 0s",
                "2:9: `0s` is not a duration of at most 6h, such as 90s, 30m or 1h",
            ),
            (
                "within: 30",
                "2:9: `within` must be a string, but this is a number",
            ),
            (
                "keep: yes",
                "2:9: `keep` must be true or false, but this is a string",
            ),
            (
                "needs: a",
                "2:9: `needs` must be a list, but this is a string",
            ),
            (
                "want: {x: 1, x: 2}",
                "2:9: unsupported YAML: duplicate mapping key `x`",
            ),
            ("want: [1", "2:9: unsupported YAML: unclosed"),
        ] {
            let found = with(&format!("{STEP}{lines}\n")).unwrap_err();
            assert!(found.starts_with(told), "{lines}: {found}");
            assert_eq!(found.lines().count(), 1, "{lines}: {found}");
        }
    }

    #[test]
    fn whole_documents_are_held_to_their_form() {
        for (text, told) in [
            (
                "step: a\nsays: s\nkind: k\nat: {}\n",
                "2:5: step `a` is defined twice, first at steps/10-first.yaml:5",
            ),
            (
                "step: param\nsays: s\nkind: k\n",
                "2:5: `param` is not a valid step name: use lowercase letters, digits and `-`",
            ),
            (
                "step: a.b\nsays: s\nkind: k\n",
                "2:5: `a.b` is not a valid step name: use lowercase letters, digits and `-`",
            ),
            ("step: b\nsays: s\nat: {}\n", "2:5: missing field `kind`"),
            ("step: b\nsays: ''\nkind: k\n", "2:6: `says` is empty"),
            (
                "- step: b\n",
                "2:5: a document must be a mapping of fields, but this is a list\n2:5: missing field `step`",
            ),
        ] {
            let found = with(text).unwrap_err();
            assert!(found.starts_with(told), "{text}: {found}");
        }
        for (name, text, told) in [
            (
                "20-other.yaml",
                "chapter: second\ntitle: t\nsays: s\n",
                "1: chapter `second` is in a file named `other`",
            ),
            (
                "second.yaml",
                "chapter: second\ntitle: t\nsays: s\n",
                "1: a chapter's file is named NN-CHAPTER.yaml",
            ),
            (
                "20-b.yml",
                "chapter: b\ntitle: t\nsays: s\n",
                "1: a chapter's file is named NN-CHAPTER.yaml",
            ),
            (
                "20-first.yaml",
                "chapter: first\ntitle: t\nsays: s\n",
                "1: chapter `first` is defined twice, first at steps/10-first.yaml:1",
            ),
            ("20-b.yaml", "", "1: an empty file"),
        ] {
            let files = [
                ("10-first.yaml", FIRST),
                (name, text),
                ("params.yaml", PARAMS),
            ];
            let found = of_texts(&files).unwrap_err().to_string();
            assert_eq!(found, format!("steps/{name}:{told}"));
        }
    }

    #[test]
    fn everything_is_told_at_once_in_the_order_of_lines() {
        let text =
            format!("{STEP}wants: 1\nneeds: [aa]\n---\nstep: c\nsays: s\nkind: k\nwithin: x\n");
        let found = with(&text).unwrap_err();
        let lines: Vec<&str> = found
            .lines()
            .map(|line| line.split(' ').next().unwrap())
            .collect();
        assert_eq!(lines, ["2:9:", "2:10:", "2:15:"], "{found}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", name in "[a-z0-9-]{0,9}") {
            let _ = of_texts(&[(&format!("{name}.yaml"), &text), ("params.yaml", &text)]);
        }

        #[test]
        fn no_yaml_makes_it_panic(lines in proptest::collection::vec(LINE, 0..20)) {
            let text = lines.join("\n");
            let _ = with(&text);
            let _ = of_texts(&[("params.yaml", &text)]);
        }
    }

    const LINE: &str = "(step|patch|steps|param|chapter|says|kind|at|want|needs|within|keep|when|of|min|default|---|  x|  - y|choices)\
        (: |:|)([a-z0-9]{0,3}|[\\[\\]{},'\"&*!|>%@`$-]{0,3}|\\$\\{[a-z.]{0,4}\\}|\\{a: b\\}|\\[c\\]|90s|true)";
}
