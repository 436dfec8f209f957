//! The pages for people and for monitoring.

use cache::DigestFunction;

use crate::harness::{Served, block_on, client, wait_until};

async fn page(served: &Served, path: &str) -> (u16, String) {
    let answer = client().get(served.url(path)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[test]
fn a_hostile_client_writes_no_markup() {
    let served = Served::start();
    block_on(async {
        let digest = served.put(DigestFunction::Sha256, b"blob");
        let hostile = "<script>alert(1)</script>\"'&";
        let url = served.url(&format!("/ac/{}", digest.hex()));
        let put = client().put(&url).header("user-agent", hostile).body("").send().await.unwrap();
        assert_eq!(put.status(), 200);
        client().get(&url).header("user-agent", hostile).send().await.unwrap();
        let get = client().get(served.url("/")).header("host", "evil\"<b>").send().await.unwrap();
        let html = get.text().await.unwrap();
        assert!(!html.contains("<script") && !html.contains("<b>\""), "{html}");
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"), "{html}");
        assert!(html.contains(&digest.hex()[..12]) && html.contains("stored"), "{html}");
        assert!(html.contains("100 %"), "{html}");
        let (status, html) = page(&served, "/").await;
        assert_eq!(status, 200);
        assert!(html.contains(&format!("--remote_cache=grpc://{}", served.address)), "{html}");
    });
}

#[test]
fn monitoring_sees_requests_hits_and_rejections() {
    let served = Served::start();
    block_on(async {
        let digest = served.put(DigestFunction::Sha256, b"blob");
        let action = served.url(&format!("/ac/{}", digest.hex()));
        client().get(&action).send().await.unwrap();
        client().put(&action).body("").send().await.unwrap();
        client().get(&action).send().await.unwrap();
        let other = served.url(&format!("/cas/{}", "00".repeat(32)));
        client().put(other).body("wrong").send().await.unwrap();
        // A request is counted when its answer is gone, which may be a moment after the client has it.
        wait_until("the log", || served.log.lock().unwrap().len() == 4);
        let (status, text) = page(&served, "/metrics").await;
        assert_eq!(status, 200);
        for line in [
            r#"run_cache_requests_total{protocol="http",method="GET",status="404"} 1"#,
            r#"run_cache_requests_total{protocol="http",method="PUT",status="200"} 1"#,
            "run_cache_action_hits_total 1",
            "run_cache_action_misses_total 1",
            r#"run_cache_uploads_rejected_total{reason="wrong_digest"} 1"#,
            "run_cache_received_bytes_total 5",
            "run_cache_store_limit_bytes 1073741824",
            r#"run_cache_request_seconds_count{protocol="http",method="PUT"} 2"#,
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
    });
}

#[test]
fn a_store_that_can_t_be_written_to_is_not_healthy() {
    let served = Served::start();
    block_on(async {
        assert_eq!(page(&served, "/healthz").await, (200, "ok\n".to_owned()));
        let tmp = served.store.root().join("tmp");
        std::fs::rename(&tmp, tmp.with_extension("gone")).unwrap();
        let (status, text) = page(&served, "/healthz").await;
        assert_eq!((status, &*text), (503, "the server cannot use its store\n"));
    });
}
