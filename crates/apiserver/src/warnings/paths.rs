//! Files of a volume that are in each other's way.
//!
//! Upstream: `warningsForOverlappingVirtualPaths` in `pkg/api/pod/warnings.go`, v1.36.

use k8s_openapi::api::core::v1::{Volume, VolumeProjection};

use crate::validation::check::{list_of, str_of};

/// A path, and where it comes from; a volume with one source does not say.
#[derive(Clone, PartialEq)]
struct Place {
    path: String,
    source: String,
}

impl Place {
    fn new(path: &str, source: &str) -> Self {
        Self { path: path.trim_end_matches('/').to_owned(), source: source.to_owned() }
    }

    fn shown(&self) -> String {
        if self.source.is_empty() {
            format!("{:?}", self.path)
        } else {
            format!("{:?} ({})", self.path, self.source)
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (format!("{}/", self.path), format!("{}/", other.path));
        !self.path.is_empty() && !other.path.is_empty() && (a.starts_with(&b) || b.starts_with(&a))
    }
}

fn report(warnings: &mut Vec<String>, volume: &str, what: &str, places: &[Place]) {
    for (index, place) in places.iter().enumerate() {
        for other in places[..index].iter().filter(|it| place.overlaps(it)) {
            warnings.push(format!(
                "volume {volume:?} ({what}): overlapping paths: {} with {}",
                place.shown(),
                other.shown()
            ));
        }
    }
}

pub(super) fn of_volume(warnings: &mut Vec<String>, volume: &Volume) {
    let name = volume.name.as_str();
    if let Some(it) = &volume.config_map {
        let places: Vec<_> = list_of(&it.items).iter().map(|it| Place::new(&it.path, "")).collect();
        report(warnings, name, &format!("ConfigMap {:?}", it.name), &places);
    }
    if let Some(it) = &volume.secret {
        let places: Vec<_> = list_of(&it.items).iter().map(|it| Place::new(&it.path, "")).collect();
        report(warnings, name, &format!("Secret {:?}", str_of(&it.secret_name)), &places);
    }
    if let Some(it) = &volume.downward_api {
        let places: Vec<_> = list_of(&it.items).iter().map(|it| Place::new(&it.path, "")).collect();
        report(warnings, name, "DownwardAPI", &places);
    }
    let Some(projected) = &volume.projected else { return };
    let mut places = Vec::new();
    for source in list_of(&projected.sources) {
        if *source == VolumeProjection::default() {
            warnings.push(format!("volume {name:?} (Projected) has no sources provided"));
        }
        of_source(&mut places, source);
    }
    report(warnings, name, "Projected", &places);
}

fn of_source(places: &mut Vec<Place>, source: &VolumeProjection) {
    if let Some((it, items)) =
        source.config_map.as_ref().and_then(|it| Some((it, it.items.as_ref()?)))
    {
        let what = format!("ConfigMap {:?}", it.name);
        places.extend(items.iter().map(|it| Place::new(&it.path, &what)));
    } else if let Some((it, items)) =
        source.secret.as_ref().and_then(|it| Some((it, it.items.as_ref()?)))
    {
        let what = format!("Secret {:?}", it.name);
        places.extend(items.iter().map(|it| Place::new(&it.path, &what)));
    } else if let Some(items) = source.downward_api.as_ref().and_then(|it| it.items.as_ref()) {
        places.extend(items.iter().map(|it| Place::new(&it.path, "DownwardAPI")));
    } else if let Some(it) = &source.service_account_token {
        places.push(Place::new(&it.path, "ServiceAccountToken"));
    }
}
