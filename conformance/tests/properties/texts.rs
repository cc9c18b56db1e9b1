//! Texts from outside: whatever they are, they are read or refused, and what is read is written back the same.

use proptest::prelude::*;
use tenantry_core::id::{encode, is_valid};
use tenantry_core::{AnyId, DomainError, Error, ListOrgs, Name, PageRequest, Slug, TenancyStore, Timestamp};
use uuid::Uuid;

use crate::support;

/// Texts near to what is looked for, and far from it.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z]{0,5}_?[0-9a-f]{30,34}",
        "[0-9]{3,5}-[0-9]{1,2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,10})?([Zz]|[+-][0-9]{2}:[0-9]{2})?",
        "[A-Za-z0-9_-]{30,40}",
        "[a-z0-9-]{0,70}",
    ]
}

proptest! {
    // covers: IDS-5, IDS-6
    #[test]
    fn a_text_that_is_an_id_is_written_back_the_same(text in any_text()) {
        let read = text.parse::<AnyId>();
        prop_assert_eq!(read.is_ok(), is_valid(&text, None));
        if let Ok(id) = read {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    // covers: IDS-1, IDS-4
    #[test]
    fn ids_of_any_uuid_with_a_version_round_trip(number in any::<u128>(), kind in 0..13_usize, version in 1..9_u128) {
        let number = (number & !(0xf << 76)) | (version << 76);
        let (kind, uuid) = (tenantry_core::IdType::ALL[kind], Uuid::from_u128(number));
        let wire = encode(kind.prefix(), &uuid.to_string()).expect("a registered prefix and a UUID");
        let id: AnyId = wire.parse().expect("it decodes");
        prop_assert_eq!((id.kind, id.as_uuid()), (kind, uuid));
        prop_assert_eq!(encode(kind.prefix(), &uuid.to_string().to_uppercase()), Ok(wire));
    }

    #[test]
    fn encoding_never_panics(prefix in any_text(), uuid in any_text()) {
        let _refused = encode(&prefix, &uuid);
    }

    #[test]
    fn moments_round_trip(micros in Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()) {
        let moment = Timestamp::from_micros(micros).expect("within the bounds");
        prop_assert_eq!(moment.to_string().parse(), Ok(moment));
        prop_assert_eq!(moment.to_string().len(), 27);
    }

    #[test]
    fn a_moment_outside_the_bounds_is_refused(micros in any::<i64>()) {
        let within = (Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()).contains(&micros);
        prop_assert_eq!(Timestamp::from_micros(micros).is_ok(), within);
    }

    #[test]
    fn a_text_that_is_a_time_stays_the_same_moment(text in any_text()) {
        if let Ok(moment) = text.parse::<Timestamp>() {
            prop_assert_eq!(moment.to_string().parse(), Ok(moment));
        }
    }

    #[test]
    fn order_of_text_is_order_of_time(a in Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros(), b in Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()) {
        let (a, b) = (Timestamp::from_micros(a).expect("a moment"), Timestamp::from_micros(b).expect("a moment"));
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
    }

    #[test]
    fn slugs_and_names_are_kept_as_they_are(text in any_text()) {
        prop_assert!(Slug::parse(&text).is_none_or(|slug| slug.as_str() == text));
        prop_assert!(Name::parse(&text).is_none_or(|name| name.as_str() == text));
    }
}

proptest! {
    #![proptest_config(crate::cases(128))]

    // covers: PAG-8
    #[test]
    fn a_cursor_that_no_list_gave_is_refused(cursor in any_text()) {
        let store = tenantry_memory::new();
        let request = ListOrgs::new().page(PageRequest::after(cursor));
        let outcome = support::block_on(store.list_orgs(request));
        prop_assert!(matches!(outcome, Err(Error::Domain(DomainError::InvalidCursor))));
    }
}

/// A cursor with one bit turned over is refused, or leads to a page: it never fails otherwise.
// covers: PAG-8
#[test]
fn a_cursor_with_a_wrong_bit_is_refused() {
    support::block_on(async {
        let store = tenantry_memory::new();
        let creator = "usr_01960000000070008000000000000001".parse().expect("an id");
        for _ in 0..3 {
            store.create_org(tenantry_core::CreateOrg::new(creator)).await.expect("an organization");
        }
        let page = |cursor: Option<String>| store.list_orgs(ListOrgs::new().page(PageRequest::after_optional(cursor).limit(1)));
        let cursor = page(None).await.expect("a page").next_cursor.expect("two follow");
        assert_eq!(page(Some(cursor.clone())).await.expect("a page").data.len(), 1);
        let (mut refused, mut taken) = (0, 0);
        for index in 0..cursor.len() {
            for bit in 0..7 {
                let mut bytes = cursor.clone().into_bytes();
                bytes[index] ^= 1 << bit;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                match page(Some(changed)).await {
                    // The id in a cursor is not signed: another one is another place in the same list.
                    Ok(_) => taken += 1,
                    Err(Error::Domain(DomainError::InvalidCursor)) => refused += 1,
                    Err(other) => panic!("{other:?}"),
                }
            }
        }
        assert!(refused > 100, "{refused} refused, {taken} taken");
    });
}
