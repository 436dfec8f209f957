// Package catalogue knows what there is to buy.
package catalogue

// Article is one thing to buy.
type Article struct {
	Name  string `json:"name"`
	Cents int    `json:"cents"`
}

var articles = []Article{{"tea", 450}, {"cup", 1200}}

// Find returns the article of that name.
func Find(name string) (Article, bool) {
	for _, article := range articles {
		if article.Name == name {
			return article, true
		}
	}
	return Article{}, false
}
