// Package main uses many modules, each a little.
package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/Masterminds/sprig/v3"
	"github.com/PuerkitoBio/goquery"
	"github.com/dustin/go-humanize"
	"github.com/fatih/color"
	"github.com/go-chi/chi/v5"
	"github.com/go-playground/validator/v10"
	"github.com/gorilla/mux"
	"github.com/hashicorp/go-multierror"
	jsoniter "github.com/json-iterator/go"
	"github.com/klauspost/compress/zstd"
	"github.com/microcosm-cc/bluemonday"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"
	"github.com/tidwall/gjson"
	"github.com/yuin/goldmark"
	"go.uber.org/zap"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/sync/errgroup"
	"golang.org/x/text/language"
	"google.golang.org/protobuf/types/known/timestamppb"
	"gopkg.in/yaml.v3"
)

type entry struct {
	Name string `toml:"name" yaml:"name" validate:"required"`
}

func main() {
	command := &cobra.Command{Use: "app", RunE: func(*cobra.Command, []string) error { return work() }}
	if err := command.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func work() error {
	var failures *multierror.Error
	var one entry
	_, err := toml.Decode("name = \"toml\"", &one)
	failures = multierror.Append(failures, err)
	text, err := yaml.Marshal(one)
	failures = multierror.Append(failures, err, validator.New().Struct(one))
	var html bytes.Buffer
	failures = multierror.Append(failures, goldmark.Convert([]byte("# *Title*"), &html))
	clean := bluemonday.UGCPolicy().Sanitize(html.String())
	page, err := goquery.NewDocumentFromReader(strings.NewReader(clean))
	failures = multierror.Append(failures, err)
	encoder, err := zstd.NewWriter(nil)
	failures = multierror.Append(failures, err)
	packed := encoder.EncodeAll([]byte(clean), nil)
	json, err := jsoniter.Marshal(one)
	failures = multierror.Append(failures, err)

	router := chi.NewRouter()
	router.Handle("/old", mux.NewRouter())
	router.Get("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, clean) })
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "done"})
	failures = multierror.Append(failures, prometheus.Register(counter))
	settings := viper.New()
	settings.SetDefault("name", one.Name)
	var group errgroup.Group
	group.Go(func() error { counter.Inc(); return nil })
	failures = multierror.Append(failures, group.Wait())

	zap.NewNop().Info("quiet")
	quiet := zerolog.Nop()
	quiet.Info().Msg("quiet")
	logrus.SetLevel(logrus.PanicLevel)
	color.NoColor = true
	sum := blake2b.Sum256(packed)
	key := argon2.Key(sum[:], packed, 1, 8, 1, 32)
	fmt.Println(
		page.Text(), strings.TrimSpace(string(text)), gjson.GetBytes(json, "Name"), settings.GetString("name"),
		color.GreenString("green"), language.English, len(sprig.FuncMap()) > 0,
		len(sum), humanize.Bytes(uint64(len(packed))), len(key), timestamppb.New(time.Unix(7, 0)).Seconds, len(router.Routes()),
	)
	return failures.ErrorOrNil()
}
