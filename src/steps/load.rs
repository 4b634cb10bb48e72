//! All files of a folder to a [`Tutorial`] whose every reference leads somewhere. Complains about everything at once.

use std::collections::BTreeMap;

use serde_json::Value;

use super::chapter::{self, Template};
use super::complaint::{Complaints, unknown};
use super::params::{self, Param, ParamType};
use super::source::{self, File, PARAMS_FILE, Source};
use super::{Place, Step, graph::Graph, refs, yaml};

/// A part of the tutorial, under the tutorial's own heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    /// The name, as in `--through NAME`.
    pub name: String,
    /// The tutorial's heading.
    pub title: String,
    /// What the chapter is for.
    pub says: String,
    /// Where it is written.
    pub source: Place,
}

/// The tutorial as this program knows it.
#[derive(Debug, Clone)]
pub struct Tutorial {
    /// What may be set, in the order of its file.
    pub params: Vec<Param>,
    /// The chapters, in the tutorial's order.
    pub chapters: Vec<Chapter>,
    pub(super) templates: Vec<Template>,
}

impl Tutorial {
    /// Reads and checks a folder.
    ///
    /// # Errors
    /// Everything that is wrong in any file: what is no YAML, unknown and missing fields, names that are there twice,
    /// references that lead nowhere, forward, or in a circle.
    pub fn load(source: &Source) -> Result<Tutorial, Complaints> {
        parse(&source::files(source)?)
    }

    /// All steps as they are written, in the tutorial's order: references open, `when` not applied, superseded ones
    /// included.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.templates.iter().map(|template| &template.step)
    }
}

/// The files' texts to a tutorial. Pure.
pub(super) fn parse(files: &[File]) -> Result<Tutorial, Complaints> {
    let mut complaints = Complaints::default();
    let mut tutorial = Tutorial {
        params: Vec::new(),
        chapters: Vec::new(),
        templates: Vec::new(),
    };
    let mut skipped = false;
    for file in files {
        let documents = match yaml::documents(&file.shown, &file.text) {
            Ok(documents) => documents,
            Err(complaint) => {
                complaints.0.push(complaint);
                skipped = true;
                continue;
            }
        };
        if file.name == PARAMS_FILE {
            tutorial.params = params::read(&file.shown, &documents, &mut complaints);
        } else if let Some(name) = file.name.strip_suffix(".yaml") {
            if let Some((chapter, templates)) =
                chapter::read(&file.shown, name, &documents, &mut complaints)
            {
                tutorial.add(chapter, templates, &mut complaints);
            }
        } else {
            complaints.add(
                &Place {
                    file: file.shown.clone(),
                    line: 1,
                },
                "a chapter's file is named NN-CHAPTER.yaml",
            );
        }
    }
    // What a file that could not be read would have held is not missing.
    if !skipped && complaints.0.is_empty() {
        check(&tutorial, &mut complaints);
    }
    complaints.or(tutorial)
}

impl Tutorial {
    fn add(&mut self, chapter: Chapter, templates: Vec<Template>, complaints: &mut Complaints) {
        if let Some(first) = self.chapters.iter().find(|c| c.name == chapter.name) {
            let text = format!(
                "chapter `{}` is there twice, first at {}",
                chapter.name, first.source
            );
            complaints.add(&chapter.source, text);
        }
        self.chapters.push(chapter);
        for template in templates {
            if let Some(first) = self.steps().find(|step| step.id == template.step.id) {
                let text = format!(
                    "step `{}` is there twice, first at {}",
                    first.id, first.source
                );
                complaints.add(&template.step.source, text);
                continue;
            }
            self.templates.push(template);
        }
    }
}

fn check(tutorial: &Tutorial, complaints: &mut Complaints) {
    let chapters: BTreeMap<&str, usize> = tutorial
        .chapters
        .iter()
        .enumerate()
        .map(|(n, chapter)| (chapter.name.as_str(), n))
        .collect();
    let known = Known {
        params: tutorial
            .params
            .iter()
            .map(|param| (param.name.as_str(), &param.of))
            .collect(),
        steps: tutorial
            .templates
            .iter()
            .map(|template| (template.step.id.as_str(), template))
            .collect(),
        chapters,
    };
    for template in &tutorial.templates {
        for (place, text) in &template.texts {
            known.check_text(template, place, text, complaints);
        }
        for (place, need) in template
            .needs_at
            .iter()
            .filter(|(_, need)| !need.contains("${"))
        {
            known.check_step(template, place, need, complaints);
        }
        for (name, value, place) in &template.when {
            known.check_when(name, value, place, complaints);
        }
    }
    if complaints.0.is_empty() {
        let mut steps: Vec<Step> = tutorial.steps().cloned().collect();
        steps.iter_mut().for_each(add_references);
        if let Err(found) = Graph::new(&steps, &[]) {
            complaints.0.extend(found.0);
        }
    }
}

/// Makes the steps that `step` refers to its needs; needs whose names hold a parameter are left for later.
pub(super) fn add_references(step: &mut Step) {
    step.needs.retain(|need| !need.contains("${"));
    let at = Value::Object(step.at.clone());
    for reference in refs::find(&at).into_iter().chain(refs::find(&step.want)) {
        if !reference.is_param() {
            step.needs.insert(reference.step);
        }
    }
}

/// What references may lead to.
struct Known<'a> {
    params: BTreeMap<&'a str, &'a ParamType>,
    steps: BTreeMap<&'a str, &'a Template>,
    chapters: BTreeMap<&'a str, usize>,
}

impl Known<'_> {
    fn check_text(
        &self,
        template: &Template,
        place: &Place,
        text: &str,
        complaints: &mut Complaints,
    ) {
        if let Some(broken) = refs::broken(text) {
            let told = format!(
                "`{broken}` is neither ${{STEP.FIELD}} nor ${{param.NAME}}; `$${{` stands for itself"
            );
            complaints.add(place, told);
        }
        for reference in refs::find(&Value::String(text.to_owned())) {
            if !reference.is_param() {
                self.check_step(template, place, &reference.step, complaints);
                continue;
            }
            match self.params.get(reference.field.as_str()) {
                None => complaints.add(
                    place,
                    unknown("parameter", &reference.field, self.params.keys().copied()),
                ),
                Some(of) if params::is_list(of) && reference.to_string() != text => {
                    complaints.add(
                        place,
                        format!("{reference} is a list, it cannot stand within a text"),
                    );
                }
                Some(_) => {}
            }
        }
    }

    fn check_step(&self, from: &Template, place: &Place, id: &str, complaints: &mut Complaints) {
        let Some(target) = self.steps.get(id) else {
            return complaints.add(place, unknown("step", id, self.steps.keys().copied()));
        };
        let chapter = |template: &Template| self.chapters.get(template.step.chapter.as_str());
        // `--through` a chapter would leave the reference without its step.
        if chapter(target) > chapter(from) {
            let text = format!(
                "step `{id}` stands in a later chapter, `{}`",
                target.step.chapter
            );
            complaints.add(place, text);
        }
        for (name, value, _) in &target.when {
            if !from.when.iter().any(|(n, v, _)| n == name && v == value) {
                let text = format!(
                    "step `{id}` is there only when {name} is {value}, `{}` says no such thing",
                    from.step.id
                );
                complaints.add(place, text);
            }
        }
    }

    fn check_when(&self, name: &str, value: &Value, place: &Place, complaints: &mut Complaints) {
        match self.params.get(name) {
            None => complaints.add(
                place,
                unknown("parameter", name, self.params.keys().copied()),
            ),
            Some(of) => {
                if let Err(why) = of.take(value) {
                    complaints.add(place, format!("`{name}` never is that: {why}"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tutorial_loads() {
        let tutorial = Tutorial::load(&Source::Embedded).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(tutorial.chapters[0].name, "project");
    }
}
